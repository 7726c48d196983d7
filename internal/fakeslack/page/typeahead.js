// A select whose options the bot gives while people type, as Slack's external_select.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
import { node, plain } from "./mrkdwn.js";

const pause = 150; // ms without a key before the bot is asked
const tallest = 240; // px

// typeahead makes the field with its list. `of` has {id, label, least, placeholder,
// chosen, lookup(typed), choose(option)}.
export function typeahead(of) {
  let timer, asked = 0, offered = [], active = -1, chosen = of.chosen;
  const hint = node("p", { class: "hint", role: "status" });
  const list = node("ul", { role: "listbox", id: of.id + "-list", "aria-label": of.label, hidden: true });
  const popup = node("div", { class: "popup", hidden: true }, hint, list);
  const field = node("input", {
    id: of.id, type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list",
    placeholder: of.placeholder,
    oninput: () => { clearTimeout(timer); asked++; open("Searching…"); timer = setTimeout(ask, pause); }, // Enter chooses nothing that was offered for an older text
    onclick: () => { if (!chosen && popup.hidden) ask(); },
    onblur: close, // a press on an option keeps the focus here
    onkeydown: keys,
    onkeypress: (event) => { if (event.key === "Enter") event.preventDefault(); }, // it never submits the form
  });
  const show = () => { field.value = chosen ? plain(chosen.text) : ""; };

  function open(words, options = []) {
    offered = options;
    hint.textContent = words;
    hint.hidden = !words;
    list.replaceChildren(...options.map(option));
    list.hidden = !options.length;
    popup.hidden = false;
    field.setAttribute("aria-expanded", String(options.length > 0));
    mark(0);
    float(popup, field);
  }
  function close() {
    clearTimeout(timer);
    asked++;
    offered = [];
    popup.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    show();
  }
  function choose(option) {
    chosen = option;
    close();
    of.choose(option);
  }

  const option = (o, i) => node("li", {
    role: "option", id: `${of.id}-option-${i}`, "data-value": o.value, "aria-selected": "false",
    onmousedown: (event) => event.preventDefault(), onclick: () => choose(o),
  }, plain(o.text), o.description ? node("small", {}, plain(o.description)) : null);

  // mark shows which option Enter chooses: as in Slack, the first one unless moved.
  function mark(next) {
    active = Math.max(0, Math.min(offered.length - 1, next));
    [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === active)));
    const marked = list.children[active];
    if (!marked) { field.removeAttribute("aria-activedescendant"); return; }
    field.setAttribute("aria-activedescendant", marked.id);
    marked.scrollIntoView({ block: "nearest" });
  }
  function keys(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !popup.hidden) { event.preventDefault(); event.stopPropagation(); close(); }
    else if (step) { event.preventDefault(); if (popup.hidden) ask(); else mark(active + step); }
    else if (event.key === "Enter") { event.preventDefault(); if (offered[active]) choose(offered[active]); }
  }

  async function ask() {
    const typed = chosen && field.value === plain(chosen.text) ? "" : field.value;
    if ([...typed].length < of.least) { open(`Type ${of.least} or more characters`); return; }
    const turn = ++asked;
    open("Searching…");
    const answer = await of.lookup(typed);
    if (turn !== asked || document.activeElement !== field) return;
    const options = [...(answer.options ?? []), ...(answer.option_groups ?? []).flatMap((g) => g.options)];
    open(answer.error ? `Options could not be loaded (${answer.error})` : options.length ? "" : "No results", options);
  }

  show();
  return node("div", { class: "typeahead" }, field, popup);
}

// float lays a popup over the page below its field, or above where there is more
// room. It takes no room itself: whatever stands below stays where it is, so that a
// press on it meets it.
function float(popup, field) {
  const box = field.getBoundingClientRect();
  const room = (field.closest("#modal-blocks") ?? document.body).getBoundingClientRect();
  const below = room.bottom - box.bottom, above = box.top - room.top;
  const up = below < 120 && above > below;
  Object.assign(popup.style, {
    left: `${box.left}px`, width: `${box.width}px`, maxHeight: `${Math.min(tallest, Math.max(80, (up ? above : below) - 6))}px`,
    top: up ? "auto" : `${box.bottom + 2}px`, bottom: up ? `${innerHeight - box.top + 2}px` : "auto",
  });
}

// An open popup follows its field.
function follow() {
  for (const popup of document.querySelectorAll(".popup:not([hidden])")) float(popup, popup.previousElementSibling);
}
addEventListener("resize", follow);
document.addEventListener("scroll", follow, true);
