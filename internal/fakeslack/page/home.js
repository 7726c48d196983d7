// The app's space, as far as it is no conversation: its tabs, and the Home tab of the
// person, drawn again when its hash changes, with what was typed kept in blocks that stay.
import { node } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { confirmed } from "./modal.js";
import { whereIn, focusAgain } from "./focus.js";
import { direct, home, place } from "./place.js";
import { post } from "./control.js";

const field = (id) => document.getElementById(id);
const part = field("home");
let shown = null; // {id, hash, view, user}, or {user} where nothing is published
let entered = ""; // whose tab was opened last, and which
let touched = {}; // block → action → state

// drawTabs shows the tabs of an app that has a Home tab, and hides what belongs to a
// conversation while that tab is open.
export function drawTabs(enabled) {
  const inHome = place.channel === home;
  field("tabs").hidden = !enabled || !(inHome || place.channel === direct);
  for (const [id, is] of [["tab-home", inHome], ["tab-messages", !inHome]]) field(id).setAttribute("aria-current", is ? "page" : "false");
  part.hidden = !inHome;
  for (const id of ["tip", "messages", "composer-input", "composer-send", "composer-shortcut"]) field(id).hidden = inHome;
  field("skip").hidden = inHome;
}

// enter tells the app that the person came to one of its tabs.
export function enter(enabled, failed) {
  const here = enabled && [home, direct].includes(place.channel) ? `${place.user} ${place.channel}` : "";
  if (here === entered) return;
  entered = here;
  trouble("");
  if (!here) return;
  post("home", { user: place.user, tab: place.channel === home ? "home" : "messages" }).then((ack) => { if (ack.error) failed(ack.error); });
}

// trouble says in the Home tab why something there did not work.
export function trouble(text) {
  field("home-trouble").textContent = text;
  field("home-trouble").hidden = !text;
}

// drawHome shows what is published for the person. `about` has {names, app, failed(error)}.
export function drawHome(published, about) {
  if (shown && shown.user === place.user && shown.hash === published.hash && shown.id === published.id) return;
  if (shown?.user !== place.user || shown?.id !== published.id) touched = {};
  shown = { ...published, user: place.user };
  const where = whereIn(part);
  field("home-blocks").replaceChildren(...(shown.view ? blocks(shown.view.blocks, on(about)) : [empty(about.app)]));
  if (where && !focusAgain(part, where)) field("tab-home").focus();
}

// empty stands where the app has published nothing yet.
const empty = (app) => node("div", { class: "empty" },
  node("p", { class: "header" }, "This is a work in progress"),
  node("p", {}, `${app} has not published anything here for you yet.`));

// values is what was touched in blocks that are still there.
function values() {
  const still = {};
  for (const [block, actions] of Object.entries(touched)) {
    for (const [action, state] of Object.entries(actions)) {
      if (shown.view.state.values[block]?.[action]) (still[block] ??= {})[action] = state;
    }
  }
  return still;
}

const on = (about) => ({
  kind: "view", prefix: "home", names: about.names,
  state: (block, e) => touched[block.block_id]?.[e.action_id] ?? shown.view.state.values[block.block_id]?.[e.action_id],
  touch(block, e, state) { (touched[block.block_id] ??= {})[e.action_id] = state; },
  async act(block, e, fields) {
    if (e.confirm && !(await confirmed(e.confirm, about.names))) return;
    trouble("");
    const ack = await post("action", { user: shown.user, view: shown.id, block_id: block.block_id, action_id: e.action_id, values: values(), ...fields });
    if (ack.error) about.failed(ack.error);
  },
  lookup: (block, e, value) => post("options", { user: shown.user, view: shown.id, block_id: block.block_id, action_id: e.action_id, value }),
});
