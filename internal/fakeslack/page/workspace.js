// The workspace as one person sees it: who and where, the conversation, and the box
// to type in. What people see comes from the control routes, again at each event of
// the live stream.
import { node } from "./mrkdwn.js";
import { showTop, confirmed } from "./modal.js";
import { drawMessages } from "./messages.js";
import { drawBot, drawGone, isDown, look as lookAtBot } from "./bot.js";
import { drawFaults } from "./faults.js";
import { drawTabs, drawHome, enter, trouble } from "./home.js";
import { place, settle, go, visible, channelID, direct, home, keep, kept, forgetOthers } from "./place.js";
import { get, post } from "./control.js";

const field = (id) => document.getElementById(id);
const input = field("composer-input");
let workspace = null;
const notices = []; // what Slackbot says to this page alone: {id, channel, user, text}

const named = (list, id, name) => list.find((x) => x.id === id)?.[name];
const names = {
  user: (id) => named(workspace.users, id, "display_name"),
  channel: (id) => named(workspace.channels, id, "name"),
  group: (id) => named(workspace.groups, id, "handle"),
  get all() { return [workspace.users, workspace.channels, workspace.groups].map((list) => list.map((x) => x.display_name ?? x.name)); },
};

// differs reports whether a value is another one than at the last call of that name:
// what did not change is not drawn again.
const last = {};
function differs(name, value) {
  const text = JSON.stringify(value);
  if (last[name] === text) return false;
  last[name] = text;
  return true;
}

function kinds(user) {
  const marks = [
    [user.deleted, "deactivated"], [user.is_stranger, "other workspace"], [user.is_restricted || user.is_ultra_restricted, "guest"],
    ...workspace.groups.filter((g) => !g.disabled && g.users.includes(user.id)).map((g) => [true, g.handle]),
  ];
  const words = marks.filter(([is]) => is).map(([, word]) => word);
  return words.length ? ` (${words.join(", ")})` : "";
}

function drawPeople() {
  const people = workspace.users.filter((u) => !u.is_bot);
  if (differs("people", [people, workspace.groups])) {
    field("user").replaceChildren(...people.map((u) => node("option", { value: u.id }, u.display_name + kinds(u))));
  }
  field("user").value = place.user; // a person who chose another one may have gone back before this
}

function drawConversations() {
  if (!differs("conversations", [visible(workspace), place.channel])) return;
  const focused = document.activeElement?.id;
  const label = (c) => (c.is_private ? "🔒 " : "# ") + c.name;
  const entry = (id, text, note) => node("li", {}, node("button", {
    type: "button", id: "channel-" + id, "data-channel": id, "aria-current": String(id === place.channel || (id === direct && place.channel === home)),
    onclick: () => { move({ channel: id }); input.focus(); },
  }, text, note ? node("small", {}, " " + note) : null));
  const note = (c) => (c.is_archived ? "archived" : c.bot_in ? "" : "bot not in");
  field("channels").replaceChildren(...visible(workspace).map((c) => entry(c.id, label(c), note(c))));
  field("directs").replaceChildren(entry(direct, "cancel-server", "app"));
  const here = workspace.channels.find((c) => c.id === place.channel);
  field("channel-name").textContent = here ? label(here) : "cancel-server";
  if (focused?.startsWith("channel-")) field(focused)?.focus();
}

function drawConversation(messages) {
  const said = notices.filter((n) => n.channel === channelID() && n.user === place.user);
  drawMessages(messages, said, {
    names, me: place.user, channel: channelID(), bot: workspace.cast.bot_user,
    shortcut: (m) => shortcut({ callback_id: "cancel-server-message", message: { channel: m.channel, ts: m.ts } }),
    async act(m, block, e, fields) {
      if (e.confirm && !(await confirmed(e.confirm, names))) return;
      const ack = await post("action", { user: place.user, message: { channel: m.channel, ts: m.ts }, block_id: block.block_id, action_id: e.action_id, ...fields });
      if (ack.error) notice(`The app did not respond to that (${ack.error}).${whyNot()}`);
    },
  });
}

// drawDraft puts back what was typed here and not sent.
const draft = () => `draft ${place.user} ${place.channel}`;
function drawDraft() {
  const first = !("draft" in last); // what somebody typed while the page was loading stays
  if (differs("draft", draft())) input.value = (first && input.value) || (kept(draft()) ?? "");
}

let running = false, again = false;
async function refresh() {
  again = true;
  if (running) return;
  running = true;
  try {
    while (again) {
      again = false;
      await draw();
    }
  } catch (failure) {
    console.error(failure);
    drawGone();
  }
  running = false;
}

async function draw() {
  [workspace] = await Promise.all([get("workspace"), lookAtBot()]);
  forgetOthers(workspace.since);
  settle(workspace);
  drawPeople();
  drawConversations();
  drawDraft();
  drawBot(workspace.connected);
  drawFaults();
  drawTabs(workspace.manifest.home_tab);
  enter(workspace.manifest.home_tab, failed);
  const user = encodeURIComponent(place.user);
  const [messages, published, views] = await Promise.all([
    get("messages?channel=" + encodeURIComponent(channelID())), place.channel === home ? get(`home?user=${user}&wait=0`) : null, get("views?user=" + user),
  ]);
  if (Array.isArray(messages)) drawConversation(messages);
  if (published && !published.error) drawHome(published, { names, app: "cancel-server", failed });
  if (Array.isArray(views)) showTop(views, place.user, names);
}

function move(there) {
  go(there);
  drawDraft(); // at once: the next key belongs to the new place
  refresh();
}

function notice(text) {
  notices.push({ id: notices.length, channel: channelID(), user: place.user, text });
  refresh();
}

// failed says that the app did not take what was done in its space.
function failed(error) {
  const text = `The app did not respond to that (${error}).${whyNot()}`;
  if (place.channel === home) trouble(text);
  else notice(text);
}

// whyNot adds what this page knows of a bot that did not answer.
const whyNot = () => (isDown() ? " The bot is not running; start it at the top of this page." : "");

// waitingFor says after a while that an answer is still to come.
async function waitingFor(what, answer) {
  const timer = setTimeout(() => { field("composer-status").textContent = `Waiting for the bot to answer ${what}…`; }, 500);
  const ack = await answer;
  clearTimeout(timer);
  field("composer-status").textContent = "";
  return ack;
}

async function send(typed) {
  if (!typed.startsWith("/")) {
    const said = await post("say", { user: place.user, channel: channelID(), text: typed.trim() });
    if (said.error) notice(`That could not be posted (${said.error}).`);
    return;
  }
  const [, command, text] = typed.match(/^(\/\S*)\s*([\s\S]*?)\s*$/);
  const ack = await waitingFor(command, post("command", { user: place.user, channel: channelID(), command, text }));
  if (ack.error) notice(`${command} failed with the error “${ack.error}”.${whyNot()}`);
}

async function shortcut(used) {
  const ack = await waitingFor("the shortcut", post("shortcut", { user: place.user, ...used }));
  if (ack.error) notice(`The shortcut failed with the error “${ack.error}”.${whyNot()}`);
}

// unknownCommand is the command in a text that the app does not have. Slack delivers
// none of those.
function unknownCommand(typed) {
  const command = typed.match(/^\/\S*/)?.[0];
  return command && !workspace.commands.includes(command) ? command : null;
}

field("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = input.value;
  if (!typed.trim() || !workspace) return;
  const unknown = unknownCommand(typed);
  if (unknown) {
    notice(`${unknown} is not a valid command. The app has ${workspace.commands.join(", ")}. To post this as a message, begin with a space.`);
    input.select();
    return;
  }
  input.value = "";
  keep(draft(), "");
  send(typed);
});
input.addEventListener("input", () => keep(draft(), input.value));
field("user").addEventListener("change", (event) => move({ user: event.target.value }));
field("composer-shortcut").addEventListener("click", () => shortcut({ callback_id: "cancel-server" }));
for (const tab of ["home", "messages"]) field("tab-" + tab).addEventListener("click", () => move({ channel: tab === "home" ? home : direct }));
addEventListener("popstate", refresh);

const stream = new EventSource("page/events");
stream.addEventListener("message", refresh);
stream.addEventListener("error", drawGone);
input.focus();
