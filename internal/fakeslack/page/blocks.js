// Blocks as DOM nodes. `on` says where they stand and what acting on them does:
// {names, kind: "message" | "view", state(block, action), touch(block, action, state), act(block, element, fields), lookup(block, element, typed)}.
import { node, text, plain, link } from "./mrkdwn.js";

const unknown = (what) => node("div", { class: "unknown" }, `This page cannot draw a ${what}.`);

export function blocks(list, on) {
  return list.map((block) => {
    const draw = drawn[block.type];
    const made = draw ? draw(block, on) : unknown(`block of type ${block.type}`);
    made.classList.add("block");
    made.dataset.block = block.block_id;
    return made;
  });
}

const drawn = {
  divider: () => node("hr"),
  header: (b) => node("div", { class: "header", role: "heading", "aria-level": "3" }, plain(b.text)),
  context: (b, on) => node("div", { class: "context" }, ...b.elements.map((e) => text(e, on.names))),
  actions: (b, on) => node("div", { class: "actions" }, ...b.elements.map((e) => element(b, e, on))),
  section: (b, on) => node("div", { class: "section" },
    node("div", {}, text(b.text, on.names), b.fields ? node("div", { class: "fields" }, ...b.fields.map((f) => text(f, on.names))) : null),
    b.accessory ? node("div", {}, element(b, b.accessory, on)) : null),
  input: (b, on) => {
    const id = `input-${b.block_id}`;
    return node("div", { class: "input" },
      node("label", { for: id }, plain(b.label), b.optional ? node("span", { class: "optional" }, " (optional)") : null),
      element(b, b.element, on, id),
      b.hint ? node("div", { class: "hint" }, plain(b.hint)) : null,
      node("p", { class: "field-error", role: "alert", hidden: true }));
  },
  rich_text: (b, on) => node("div", { class: "rich" }, ...b.elements.map((e) => rich(e, on.names))),
};

function rich(e, names) {
  const inside = (e.elements ?? []).map((piece) => richPiece(piece, names));
  if (e.type === "rich_text_section") return node("div", {}, ...inside);
  if (e.type === "rich_text_quote") return node("div", { class: "quote" }, ...inside);
  if (e.type === "rich_text_preformatted") return node("pre", {}, ...inside);
  return unknown(`rich text of type ${e.type}`);
}

function richPiece(p, names) {
  const marked = (child) => Object.entries({ bold: "b", italic: "i", strike: "s", code: "code", underline: "u" })
    .reduce((inner, [style, tag]) => (p.style?.[style] ? node(tag, {}, inner) : inner), child);
  switch (p.type) {
    case "text": return marked(p.text);
    case "link": return marked(link(p.url, p.text || p.url));
    case "emoji": return plain({ text: `:${p.name}:` });
    case "user": return node("span", { class: "mention" }, "@" + (names.user(p.user_id) ?? p.user_id));
    case "usergroup": return node("span", { class: "mention" }, "@" + (names.group(p.usergroup_id) ?? p.usergroup_id));
    case "broadcast": return node("span", { class: "mention all" }, "@" + p.range);
  }
  return unknown(`piece of rich text of type ${p.type}`);
}

function element(block, e, on, id) {
  const draw = elements[e.type];
  if (!draw) return unknown(`element of type ${e.type}`);
  const made = draw(block, e, on, id);
  made.dataset.action = e.action_id;
  return made;
}

// sends reports whether a change of this element is told to the bot at once.
const sends = (block) => block.type !== "input" || block.dispatch_action === true;

function changed(block, e, on, fields) {
  on.touch(block, e, fields);
  if (sends(block)) on.act(block, e, fields);
}

const elements = {
  button: (block, e, on) => node("button", {
    type: "button", class: e.style ?? "", "aria-label": e.accessibility_label, value: e.value,
    onclick: () => { if (e.url) window.open(e.url, "_blank", "noopener"); on.act(block, e, {}); },
  }, plain(e.text)),

  plain_text_input: (block, e, on, id) => {
    const field = node(e.multiline ? "textarea" : "input", {
      id, placeholder: plain(e.placeholder), autofocus: e.focus_on_load === true,
      oninput: () => {
        on.touch(block, e, { value: field.value });
        if (sends(block) && e.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered")) on.act(block, e, { value: field.value });
      },
      onkeydown: (event) => {
        if (event.key !== "Enter" || e.multiline || !sends(block)) return;
        event.preventDefault();
        on.act(block, e, { value: field.value });
      },
    });
    field.value = on.state(block, e)?.value ?? "";
    return field;
  },

  checkboxes: (block, e, on) => {
    const chosen = new Set((on.state(block, e)?.selected_options ?? []).map((o) => o.value));
    const pick = (option, ticked) => {
      if (ticked) chosen.add(option.value); else chosen.delete(option.value);
      changed(block, e, on, { selected_options: e.options.filter((o) => chosen.has(o.value)) });
    };
    return node("div", { role: "group" }, ...e.options.map((option) => node("label", { class: "check" },
      node("input", { type: "checkbox", value: option.value, checked: chosen.has(option.value), onchange: (event) => pick(option, event.target.checked) }),
      node("span", {}, text(option.text, on.names), option.description ? node("span", { class: "hint" }, text(option.description, on.names)) : null))));
  },

  static_select: (block, e, on, id) => {
    const all = e.options ?? e.option_groups.flatMap((g) => g.options);
    const entry = (option) => node("option", { value: option.value }, plain(option.text));
    const field = node("select", {
      id, onchange: () => changed(block, e, on, { selected_option: all.find((o) => o.value === field.value) ?? null }),
    },
    node("option", { value: "" }, plain(e.placeholder) || "Choose an option"),
    ...(e.options ? e.options.map(entry) : e.option_groups.map((g) => node("optgroup", { label: plain(g.label) }, ...g.options.map(entry)))));
    field.value = on.state(block, e)?.selected_option?.value ?? "";
    return field;
  },

  external_select: (block, e, on, id) => typeahead(block, e, on, id),
};

// typeahead asks the bot for options while people type, as Slack does.
function typeahead(block, e, on, id) {
  let timer, asked = 0, offered = [], active = -1;
  let chosen = on.state(block, e)?.selected_option ?? null;
  const least = e.min_query_length ?? 3;
  const list = node("ul", { role: "listbox", hidden: true });
  const field = node("input", {
    id, type: "text", role: "combobox", "aria-expanded": "false", placeholder: plain(e.placeholder) || "Choose an option",
    oninput: () => { clearTimeout(timer); timer = setTimeout(ask, 150); },
    onfocus: () => { if (!chosen) ask(); },
    onblur: close, // a press on an option keeps the focus here
    onkeydown: keys,
  });
  const show = () => { field.value = chosen ? plain(chosen.text) : ""; };
  function open(...items) { list.replaceChildren(...items); list.hidden = false; field.setAttribute("aria-expanded", "true"); }
  function close() { clearTimeout(timer); asked++; list.hidden = true; field.setAttribute("aria-expanded", "false"); active = -1; show(); }
  function choose(option) {
    chosen = option;
    close();
    changed(block, e, on, { selected_option: option });
  }
  function mark(next) {
    active = Math.max(0, Math.min(offered.length - 1, next));
    list.querySelectorAll("[role=option]").forEach((li, i) => li.setAttribute("aria-selected", String(i === active)));
  }
  function keys(event) {
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); event.stopPropagation(); close(); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(active + (event.key === "ArrowDown" ? 1 : -1)); }
    if (event.key === "Enter") { event.preventDefault(); if (offered[active]) choose(offered[active]); }
  }
  async function ask() {
    if ([...field.value].length < least) { offered = []; open(node("li", { class: "hint" }, `Type ${least} or more characters`)); return; }
    const turn = ++asked;
    open(node("li", { class: "hint" }, "Searching…"));
    const answer = await on.lookup(block, e, field.value);
    if (turn !== asked || document.activeElement !== field) return;
    offered = [...(answer.options ?? []), ...(answer.option_groups ?? []).flatMap((g) => g.options)];
    if (answer.error) open(node("li", { class: "hint" }, `Options could not be loaded (${answer.error})`));
    else if (!offered.length) open(node("li", { class: "hint" }, "No results"));
    else open(...offered.map((o) => node("li", { role: "option", "data-value": o.value, onmousedown: (event) => { event.preventDefault(); choose(o); } },
      plain(o.text), o.description ? node("small", {}, plain(o.description)) : null)));
  }
  show();
  return node("div", { class: "typeahead" }, field, list);
}
