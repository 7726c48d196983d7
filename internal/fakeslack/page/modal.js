// The top view of the person: drawn again when its hash changes, with what was
// typed kept in blocks that stay, also over a reload.
import { node, plain, text } from "./mrkdwn.js";
import { blocks } from "./blocks.js";
import { whereIn, focusAgain, shut } from "./focus.js";
import { keep, kept } from "./place.js";
import { post } from "./control.js";

const dialog = document.getElementById("modal");
const field = (id) => document.getElementById(id);
let shown = null; // {id, hash, view, user}
let touched = {}; // view id → block → action → state
let names;
let sending = false; // a submission waits for its answer

export function showTop(views, user, known) {
  names = known;
  const top = views.at(-1);
  if (!top) {
    if (shown?.user === user) remember({}); // it was closed, not left for another person
    shown = null;
    if (dialog.open) shut(dialog, field("composer-input"));
    return;
  }
  if (shown && shown.id === top.id && shown.hash === top.hash && shown.user === user) return;
  if (!shown) touched = kept("touched") ?? {};
  shown = { ...top, user };
  draw();
}

function remember(all) {
  touched = all;
  keep("touched", all);
}

const known = (block, e) => shown.view.state.values[block.block_id]?.[e.action_id];
const mine = (block, e) => touched[shown.id]?.[block.block_id]?.[e.action_id];

// values is what was touched in blocks that are still there.
function values() {
  const kept = {};
  for (const [block, actions] of Object.entries(touched[shown.id] ?? {})) {
    for (const [action, state] of Object.entries(actions)) {
      if (shown.view.state.values[block]?.[action]) (kept[block] ??= {})[action] = state;
    }
  }
  return kept;
}

const on = {
  kind: "view",
  get names() { return names; },
  state: (block, e) => mine(block, e) ?? known(block, e),
  touch(block, e, state) {
    ((touched[shown.id] ??= {})[block.block_id] ??= {})[e.action_id] = state;
    remember(touched);
  },
  async act(block, e, fields) {
    if (e.confirm && !(await confirmed(e.confirm, names))) return;
    const ack = await post("action", { user: shown.user, view: shown.id, block_id: block.block_id, action_id: e.action_id, values: values(), ...fields });
    if (ack.error) trouble(ack.error);
  },
  lookup: (block, e, value) => post("options", { user: shown.user, view: shown.id, block_id: block.block_id, action_id: e.action_id, value }),
};

function draw() {
  const { view } = shown;
  const where = whereIn(dialog);
  touched[shown.id] = values();
  field("modal-title").textContent = plain(view.title);
  field("modal-close").textContent = plain(view.close) || "Cancel";
  field("modal-submit").textContent = plain(view.submit) || "Submit";
  field("modal-submit").hidden = !view.submit;
  field("modal-x").textContent = view.previous_view_id ? "‹ Back" : "✕";
  field("modal-x").setAttribute("aria-label", view.previous_view_id ? "Back" : "Close");
  field("modal-trouble").hidden = true;
  field("modal-blocks").replaceChildren(...blocks(view.blocks, on));
  const opened = !dialog.open;
  if (opened) dialog.showModal();
  if (opened || !where || !focusAgain(dialog, where)) firstField().focus();
}

// firstField is where a person goes on: the first field, or the button that closes.
const firstField = () => field("modal-blocks").querySelector("input, select, textarea, button") ?? field("modal-close");

function trouble(word) {
  field("modal-trouble").textContent = `We had some trouble connecting. Try again? (${word})`;
  field("modal-trouble").hidden = false;
}

// fieldErrors shows what is wrong at each block, and goes to the first of them.
function fieldErrors(errors) {
  for (const p of dialog.querySelectorAll(".field-error")) {
    const block = p.closest(".block"), message = errors[block.dataset.block];
    p.textContent = message ?? "";
    p.hidden = !message;
    for (const e of block.querySelectorAll("input, select, textarea")) e.setAttribute("aria-invalid", String(message != null));
  }
  const first = dialog.querySelector(".field-error:not([hidden])")?.closest(".block");
  first?.querySelector("input, select, textarea")?.focus();
  first?.scrollIntoView({ block: "center" });
}

// missing is what Slack's own client asks for before it sends anything.
function missing() {
  const errors = {};
  for (const block of shown.view.blocks.filter((b) => b.type === "input")) {
    const e = block.element;
    const state = on.state(block, e) ?? {};
    const value = state.value ?? state.selected_option ?? (state.selected_options?.length ? state.selected_options : null);
    const length = [...(state.value ?? "")].length;
    if (!block.optional && !value) errors[block.block_id] = "Please complete this required field.";
    else if (e.max_length && length > e.max_length) errors[block.block_id] = `This entry is ${length} characters long; at most ${e.max_length} are allowed.`;
    else if (e.min_length && value && length < e.min_length) errors[block.block_id] = `At least ${e.min_length} characters are needed.`;
  }
  return errors;
}

// wait shows that an answer is to come. The button is not disabled: a disabled one
// loses the focus.
function wait(is) {
  sending = is;
  field("modal-submit").setAttribute("aria-disabled", String(is));
}

field("modal-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  const errors = missing();
  fieldErrors(errors);
  if (Object.keys(errors).length) return;
  field("modal-trouble").hidden = true;
  wait(true);
  const ack = await post("submit", { user: shown.user, view: shown.id, values: values() });
  wait(false);
  if (ack.error) trouble(ack.error);
  else if (ack.body?.response_action === "errors") fieldErrors(ack.body.errors);
});

const leave = () => shown && post("close", { user: shown.user, view: shown.id });
field("modal-close").addEventListener("click", leave);
field("modal-x").addEventListener("click", leave);
dialog.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });

// confirmed asks as a confirm object says.
export function confirmed(object, known) {
  const ask = document.getElementById("confirm");
  field("confirm-title").textContent = plain(object.title);
  field("confirm-text").replaceChildren(text(object.text, known) ?? node("span"));
  field("confirm-no").textContent = plain(object.deny);
  field("confirm-yes").textContent = plain(object.confirm);
  field("confirm-yes").className = object.style ?? "primary";
  ask.showModal();
  return new Promise((resolve) => {
    const end = (answer) => (event) => {
      event.preventDefault();
      shut(ask, field(dialog.open ? "modal-close" : "composer-input"));
      resolve(answer);
    };
    field("confirm-yes").onclick = end(true);
    field("confirm-no").onclick = ask.oncancel = end(false);
  });
}
