// The messages of a conversation. Only what changed is drawn again, so that nobody
// loses the focus or the place to which they scrolled.
import { node, mrkdwn } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { whereIn, focusAgain } from "./focus.js";

const list = document.getElementById("messages");
const drawn = new Map(); // key → {like, item}
let conversation = "";

// drawMessages shows messages, and below them notices, which are Slackbot's to this
// page alone. `about` has {names, me, channel, bot, act(message, block, element, fields),
// shortcut(message)}.
export function drawMessages(messages, notices, about) {
  const items = [
    ...threaded(messages.filter((m) => !m.to || m.to === about.me)).map((m) => entry(m.ts, [m, about.names.all], () => message(m, about))),
    ...notices.map((n) => entry("notice " + n.id, n, () => notice(n))),
  ];
  if (conversation !== about.channel) atEnd = true;
  conversation = about.channel;
  replace(items);
  stay();
}

// Who reads the latest message stays there, also while the list grows or shrinks.
let atEnd = true;
const stay = () => { if (atEnd) list.scrollTop = list.scrollHeight; };
list.addEventListener("scroll", () => { atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60; });
new ResizeObserver(stay).observe(list);

const entry = (key, like, draw) => ({ key, like: JSON.stringify(like), draw });

// replace makes the list hold these items. What stays is not moved.
function replace(items) {
  const focused = list.contains(document.activeElement);
  const keys = new Set(items.map((item) => item.key));
  for (const [key, { item }] of drawn) {
    if (keys.has(key)) continue;
    item.remove();
    drawn.delete(key);
  }
  items.forEach(({ key, like, draw }, i) => {
    let now = drawn.get(key);
    if (now?.like !== like) drawn.set(key, now = { like, item: successor(now?.item, draw()) });
    if (list.children[i] !== now.item) list.insertBefore(now.item, list.children[i] ?? null);
  });
  if (focused && !list.contains(document.activeElement)) list.lastElementChild?.focus();
}

// successor puts a fresh item in the place of an old one, with the focus.
function successor(old, fresh) {
  if (!old) return fresh;
  const where = whereIn(old);
  const focused = where || old === document.activeElement;
  old.replaceWith(fresh);
  if (focused && !(where && focusAgain(fresh, where))) fresh.focus();
  return fresh;
}

// threaded puts replies after their root.
function threaded(messages) {
  const roots = messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts || !messages.some((r) => r.ts === m.thread_ts));
  return roots.flatMap((root) => [root, ...messages.filter((m) => m.thread_ts === root.ts && m !== root)]);
}

function message(m, about) {
  const on = {
    kind: "message", prefix: m.ts, names: about.names, touch() {},
    state: (block, e) => ({ selected_option: e.initial_option, selected_options: e.initial_options, value: e.initial_value }),
    act: (block, e, fields) => about.act(m, block, e, fields),
    lookup: async () => ({ options: [], error: "this page looks up options in modals only" }),
  };
  const author = about.names.user(m.user) ?? "Slackbot";
  const kinds = ["message", m.to ? "ephemeral" : "", m.thread_ts && m.thread_ts !== m.ts ? "reply" : ""].filter(Boolean);
  const at = new Date(Number(m.ts) * 1000);
  return node("li", { class: kinds.join(" "), "data-ts": m.ts, tabindex: "-1" },
    avatar(author),
    node("div", { class: "content" },
      m.to ? onlyYou() : null,
      node("span", { class: "author" }, author), m.user === about.bot ? node("span", { class: "app" }, "APP") : null, " ",
      node("time", { class: "meta", datetime: at.toISOString() }, at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })),
      m.edited ? node("span", { class: "meta" }, " (edited)") : null,
      m.to ? null : menu(() => about.shortcut(m)),
      ...(m.blocks?.length ? blocks(m.blocks, on) : [mrkdwn(m.text, about.names)])));
}

const menu = (onclick) => node("button", { type: "button", class: "menu", title: "From the message's menu of shortcuts", onclick }, "Cancel this server…");

const notice = (n) => node("li", { class: "message notice", tabindex: "-1" },
  avatar("S"),
  node("div", { class: "content" }, onlyYou(), node("span", { class: "author" }, "Slackbot"), node("div", {}, n.text)));

const avatar = (author) => node("div", { class: "avatar", "aria-hidden": "true" }, author.slice(0, 1).toUpperCase());
const onlyYou = () => node("div", { class: "ephemeral-label" }, "👁 Only visible to you");
