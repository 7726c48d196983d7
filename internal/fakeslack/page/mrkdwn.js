// Slack's text as DOM nodes. Nothing that came from elsewhere is ever HTML:
// https://docs.slack.dev/messaging/formatting-message-text

export function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const emoji = {
  white_check_mark: "✅", hourglass_flowing_sand: "⏳", rotating_light: "🚨", no_entry: "⛔", warning: "⚠️",
  x: "❌", information_source: "ℹ️", ticket: "🎫", lock: "🔒", eyes: "👀", wastebasket: "🗑️", tada: "🎉",
};

const unescaped = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji[name] ?? whole);

export function link(url, ...label) {
  let known = false;
  try { known = ["http:", "https:", "mailto:"].includes(new URL(url).protocol); } catch { /* no URL */ }
  if (!known) return node("span", {}, ...label);
  return node("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

function date(spec, fallback) {
  const [, seconds, format, url] = spec.split("^");
  const at = new Date(Number(seconds) * 1000);
  if (!format || Number.isNaN(at.getTime())) return fallback;
  const as = (options) => at.toLocaleString("en-GB", options);
  const long = as({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const short = as({ day: "numeric", month: "short", year: "numeric" });
  const shown = format
    .replace(/\{date_long(_pretty)?\}/g, long).replace(/\{date_short(_pretty)?\}/g, short)
    .replace(/\{date_num\}/g, at.toISOString().slice(0, 10)).replace(/\{date(_pretty)?\}/g, short)
    .replace(/\{time_secs\}/g, as({ hour: "2-digit", minute: "2-digit", second: "2-digit" }))
    .replace(/\{time\}/g, as({ hour: "2-digit", minute: "2-digit" }));
  const time = node("time", { datetime: at.toISOString(), title: fallback }, shown);
  return url ? link(url, time) : time;
}

function angle(inner, names) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescaped(inner.slice(bar + 1));
  const mention = (text, kind = "") => node("span", { class: "mention " + kind }, text);
  if (target.startsWith("@")) return mention("@" + (names.user(target.slice(1)) ?? (label || target.slice(1))));
  if (target.startsWith("#")) return mention("#" + (names.channel(target.slice(1)) ?? (label || target.slice(1))));
  if (target.startsWith("!date^")) return date(target, label);
  if (target.startsWith("!subteam^")) return mention(label || "@" + (names.group(target.slice(9)) ?? target.slice(9)));
  if (target.startsWith("!")) return mention("@" + target.slice(1), "all");
  return link(unescaped(target), label || unescaped(target));
}

const token = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<![\w_])_([^_\n]+)_(?![\w_])|(?<![\w~])~([^~\n]+)~(?![\w~])/g;

function inline(text, names) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(token)) {
    if (match.index > at) nodes.push(withEmoji(unescaped(text.slice(at, match.index))));
    const [whole, block, code, pointed, bold, italic, strike] = match;
    if (block !== undefined) nodes.push(node("pre", {}, unescaped(block)));
    else if (code !== undefined) nodes.push(node("code", {}, unescaped(code)));
    else if (pointed !== undefined) nodes.push(angle(pointed, names));
    else if (bold !== undefined) nodes.push(node("b", {}, ...inline(bold, names)));
    else if (italic !== undefined) nodes.push(node("i", {}, ...inline(italic, names)));
    else nodes.push(node("s", {}, ...inline(strike, names)));
    at = match.index + whole.length;
  }
  if (at < text.length) nodes.push(withEmoji(unescaped(text.slice(at))));
  return nodes;
}

// mrkdwn draws text with its marks, with quotes by line.
export function mrkdwn(text, names) {
  const drawn = node("div", { class: "text" });
  for (const part of text.split(/((?:^&gt; ?.*(?:\n|$))+)/m)) {
    if (!part) continue;
    if (part.startsWith("&gt;")) drawn.append(node("div", { class: "quote" }, ...inline(part.replace(/^&gt; ?/gm, "").trimEnd(), names)));
    else drawn.append(...inline(part, names));
  }
  return drawn;
}

// text draws a text object.
export function text(object, names) {
  if (!object) return null;
  if (object.type === "mrkdwn") return mrkdwn(object.text, names);
  return node("div", { class: "text" }, plain(object));
}

// plain is the words of a plain_text object, which Slack's clients unescape.
export const plain = (object) => (object ? withEmoji(unescaped(object.text ?? "")) : "");
