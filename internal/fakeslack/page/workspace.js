// The workspace as one person sees it.
import { node, mrkdwn } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { showTop, confirmed } from "./modal.js";
import { get, post } from "./control.js";

const field = (id) => document.getElementById(id);
let workspace = null;
let me = null;
let channel = null;
const notices = []; // what Slackbot says to this page alone: {channel, user, text}

const named = (list, id, name) => list.find((x) => x.id === id)?.[name];
const names = {
  user: (id) => named(workspace.users, id, "display_name"),
  channel: (id) => named(workspace.channels, id, "name"),
  group: (id) => named(workspace.groups, id, "handle"),
};

function kinds(user) {
  const marks = [
    [user.deleted, "deactivated"], [user.is_stranger, "other workspace"], [user.is_restricted || user.is_ultra_restricted, "guest"],
    ...workspace.groups.filter((g) => !g.disabled && g.users.includes(user.id)).map((g) => [true, g.handle]),
  ];
  const words = marks.filter(([is]) => is).map(([, word]) => word);
  return words.length ? ` (${words.join(", ")})` : "";
}

// differs reports whether a value is another one than at the last call of that name:
// what did not change is not drawn anew, so that nobody loses the focus.
const last = {};
function differs(name, value) {
  const text = JSON.stringify(value);
  if (last[name] === text) return false;
  last[name] = text;
  return true;
}

function drawPeople() {
  const people = workspace.users.filter((u) => !u.is_bot);
  me ??= workspace.cast.user;
  if (!differs("people", [people, workspace.groups, me])) return;
  field("user").replaceChildren(...people.map((u) => node("option", { value: u.id, selected: u.id === me }, u.display_name + kinds(u))));
  field("user").value = me;
}

function drawConversations() {
  const visible = workspace.channels.filter((c) => !c.is_private || c.members.includes(me));
  if (channel !== "direct" && !visible.some((c) => c.id === channel)) channel = workspace.cast.channel;
  if (!differs("conversations", [visible, channel, workspace.connected])) return;
  const entry = (id, label, note) => node("li", {}, node("button", {
    type: "button", id: "channel-" + id, "data-channel": id, "aria-current": String(id === channel),
    onclick: () => { channel = id; refresh(); field("composer-input").focus(); },
  }, label, note ? node("small", {}, " " + note) : null));
  const note = (c) => (c.is_archived ? "archived" : c.bot_in ? "" : "bot not in");
  field("channels").replaceChildren(...visible.map((c) => entry(c.id, (c.is_private ? "🔒 " : "# ") + c.name, note(c))));
  field("directs").replaceChildren(entry("direct", "cancel-server", "app"));
  const here = workspace.channels.find((c) => c.id === channel);
  field("channel-name").textContent = here ? (here.is_private ? "🔒 " : "# ") + here.name : "cancel-server";
  field("bot-state").textContent = workspace.connected ? "bot connected" : "bot not connected";
}

const channelID = () => (channel === "direct" ? me : channel);

function drawMessage(m) {
  const on = {
    kind: "message", names, state: (block, e) => ({ selected_option: e.initial_option, selected_options: e.initial_options, value: e.initial_value }), touch() {},
    async act(block, e, fields) {
      if (e.confirm && !(await confirmed(e.confirm, names))) return;
      const ack = await post("action", { user: me, message: { channel: m.channel, ts: m.ts }, block_id: block.block_id, action_id: e.action_id, ...fields });
      if (ack.error) notice(`The app did not respond to that (${ack.error}).`);
    },
    lookup: async () => ({ options: [], error: "this page looks up options in modals only" }),
  };
  const author = names.user(m.user) ?? "Slackbot";
  const menu = m.to ? null : node("button", {
    type: "button", class: "menu", title: "From the message's menu of shortcuts",
    onclick: () => shortcut({ callback_id: "cancel-server-message", message: { channel: m.channel, ts: m.ts } }),
  }, "Cancel this server…");
  const at = new Date(Number(m.ts) * 1000);
  const body = m.blocks?.length ? blocks(m.blocks, on) : [mrkdwn(m.text, names)];
  return node("li", { class: "message" + (m.to ? " ephemeral" : "") + (m.thread_ts && m.thread_ts !== m.ts ? " reply" : ""), "data-ts": m.ts },
    node("div", { class: "avatar", "aria-hidden": "true" }, author.slice(0, 1).toUpperCase()),
    node("div", { class: "content" },
      m.to ? node("div", { class: "ephemeral-label" }, "👁 Only visible to you") : null,
      node("span", { class: "author" }, author), m.user === workspace.cast.bot_user ? node("span", { class: "app" }, "APP") : null, " ",
      node("time", { class: "meta", datetime: at.toISOString() }, at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })),
      m.edited ? node("span", { class: "meta" }, " (edited)") : null,
      menu,
      ...body));
}

// threaded puts replies after their root.
function threaded(messages) {
  const roots = messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts || !messages.some((r) => r.ts === m.thread_ts));
  return roots.flatMap((root) => [root, ...messages.filter((m) => m.thread_ts === root.ts && m !== root)]);
}

function drawMessages(messages) {
  const mine = threaded(messages.filter((m) => !m.to || m.to === me));
  const said = notices.filter((n) => n.channel === channelID() && n.user === me);
  if (!differs("messages", [mine, said, me, channel, workspace.users])) return;
  const list = field("messages");
  list.replaceChildren(...mine.map(drawMessage), ...said.map((n) => node("li", { class: "message notice" },
    node("div", { class: "avatar", "aria-hidden": "true" }, "S"),
    node("div", { class: "content" }, node("div", { class: "ephemeral-label" }, "👁 Only visible to you"), node("span", { class: "author" }, "Slackbot"), node("div", {}, n.text)))));
  list.scrollTop = list.scrollHeight;
}

function notice(text) {
  notices.push({ channel: channelID(), user: me, text });
  refresh();
}

let running = false, again = false;
async function refresh() {
  if (running) { again = true; return; }
  running = true;
  do {
    again = false;
    workspace = await get("workspace");
    drawPeople();
    drawConversations();
    const [messages, views] = await Promise.all([get("messages?channel=" + encodeURIComponent(channelID())), get("views?user=" + encodeURIComponent(me))]);
    if (Array.isArray(messages)) drawMessages(messages);
    if (Array.isArray(views)) showTop(views, me, names);
  } while (again);
  running = false;
}

field("user").addEventListener("change", (event) => { me = event.target.value; refresh(); });

field("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = field("composer-input").value.trim();
  if (!typed) return;
  field("composer-input").value = "";
  const [, command, text] = typed.match(/^(\/\S+)\s*([\s\S]*)$/) ?? [];
  if (!command) {
    const said = await post("say", { user: me, channel: channelID(), text: typed });
    if (said.error) notice(`That could not be said (${said.error}).`);
    return;
  }
  const ack = await post("command", { user: me, channel: channelID(), command, text });
  if (ack.error) notice(`${command} failed with the error “${ack.error}”.`);
});

async function shortcut(used) {
  const ack = await post("shortcut", { user: me, ...used });
  if (ack.error) notice(`The shortcut failed with the error “${ack.error}”.`);
}

field("composer-shortcut").addEventListener("click", () => shortcut({ callback_id: "cancel-server" }));

new EventSource("page/events").addEventListener("message", () => refresh().catch(() => { running = false; }));
field("composer-input").focus();
