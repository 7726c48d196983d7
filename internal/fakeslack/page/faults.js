// The faults that are armed, and arming and clearing them.
import { node } from "./mrkdwn.js";
import { shut } from "./focus.js";
import { get, post, remove } from "./control.js";

const field = (id) => document.getElementById(id);
const dialog = field("faults");
const looking = 1000; // ms between two looks while the dialog is open
let offered = null; // what GET control/ lists; null until it was asked, false where it has no faults
let timer;

// drawFaults shows how many faults are armed, and which where the dialog is open.
export async function drawFaults() {
  offered ??= await get("").then((list) => (list.methods ? list : false));
  if (!offered) return;
  const armed = await get("faults");
  if (!Array.isArray(armed)) return;
  field("faults-open").hidden = false;
  field("faults-open").textContent = armed.length ? `Faults (${armed.length})` : "Faults";
  if (dialog.open) drawArmed(armed);
}

let last = "";
function drawArmed(armed) {
  if (last === (last = JSON.stringify(armed))) return;
  const inside = field("faults-armed").contains(document.activeElement);
  field("faults-armed").replaceChildren(...armed.length ? armed.map(entry) : [node("li", { class: "hint" }, "None.")]);
  field("faults-clear").hidden = !armed.length;
  if (inside) field("faults-at").focus();
}

const entry = ({ at, method, fault, left }) => node("li", {},
  node("span", {}, node("b", {}, method), ` at ${title[at]}: ${fault}, ${left === 1 ? "1 request" : `${left} requests`} left`),
  node("button", { type: "button", "aria-label": `Clear the faults of ${method}`, onclick: () => clear(`?at=${at}&method=${encodeURIComponent(method)}`) }, "Clear"));

const title = { slack: "Slack", softlayer: "SoftLayer" };

async function clear(query) {
  say((await remove("faults" + query)).error);
  drawFaults();
}

function say(problem) {
  field("faults-trouble").textContent = problem ?? "";
  field("faults-trouble").hidden = !problem;
}

// fill offers a list in a select, and keeps what was chosen if it is still there.
function fill(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => node("option", { value }, value)));
  if (values.includes(before)) select.value = before;
}

function drawChoices() {
  const at = field("faults-at").value, methods = offered.methods[at];
  fill(field("faults-method"), methods.map((m) => m.method));
  fill(field("faults-fault"), methods.find((m) => m.method === field("faults-method").value).faults);
  field("faults-doc").textContent = offered.faults[at].find((f) => f.name === field("faults-fault").value)?.doc ?? "";
}

function leave(event) {
  event.preventDefault();
  clearInterval(timer);
  shut(dialog, field("faults-open"));
}

for (const id of ["faults-at", "faults-method", "faults-fault"]) field(id).addEventListener("change", drawChoices);
field("faults-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const order = { at: field("faults-at").value, method: field("faults-method").value, fault: field("faults-fault").value, times: Number(field("faults-times").value) };
  say((await post("fault", order)).error);
  drawFaults();
});
field("faults-clear").addEventListener("click", () => clear(""));
field("faults-x").addEventListener("click", leave);
dialog.addEventListener("cancel", leave);
field("faults-open").addEventListener("click", () => {
  drawChoices();
  dialog.showModal();
  field("faults-at").focus();
  drawFaults();
  timer = setInterval(drawFaults, looking);
});
