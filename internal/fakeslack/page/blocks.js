// Blocks as DOM nodes. `on` says where they stand and what acting on them does:
// {names, kind: "message" | "view", state(block, action), touch(block, action, state), act(block, element, fields), lookup(block, element, typed)},
// and for messages a prefix that keeps ids apart.
import { node, text, plain, link } from "./mrkdwn.js";
import { typeahead } from "./typeahead.js";

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
    node("div", { class: "words" }, text(b.text, on.names), b.fields ? node("div", { class: "fields" }, ...b.fields.map((f) => text(f, on.names))) : null),
    b.accessory ? node("div", {}, element(b, b.accessory, on)) : null),
  input: (b, on) => {
    const id = `input-${b.block_id}`, hint = `hint-${b.block_id}`, error = `error-${b.block_id}`;
    const made = element(b, b.element, on, id);
    const grouped = made.getAttribute("role") === "group"; // of checkboxes: no one field is the label's
    const field = grouped ? made : made.matches("input, select, textarea") ? made : made.querySelector("input");
    field.setAttribute("aria-describedby", [b.hint ? hint : "", error].join(" ").trim());
    if (!b.optional && !grouped) field.setAttribute("aria-required", "true");
    if (grouped) made.setAttribute("aria-labelledby", `label-${b.block_id}`);
    return node("div", { class: "input" },
      node(grouped ? "div" : "label", { id: `label-${b.block_id}`, class: "label", for: grouped ? null : id },
        plain(b.label), b.optional ? node("span", { class: "optional" }, " (optional)") : null),
      made,
      b.hint ? node("div", { class: "hint", id: hint }, plain(b.hint)) : null,
      node("p", { class: "field-error", id: error, role: "alert", hidden: true }));
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

  external_select: (block, e, on, id) => typeahead({
    id: id ?? `select-${on.prefix ?? ""}${block.block_id}-${e.action_id}`, label: plain(block.label) || plain(e.placeholder) || "Options",
    least: e.min_query_length ?? 3, placeholder: plain(e.placeholder) || "Choose an option", chosen: on.state(block, e)?.selected_option ?? null,
    lookup: (typed) => on.lookup(block, e, typed),
    choose: (option) => changed(block, e, on, { selected_option: option }),
  }),
};
