// The keyboard's focus over redrawing: an element that is replaced hands it to the
// one that stands in its place.

// whereIn says where in a part of the page the focus is; null if it is elsewhere.
export function whereIn(part) {
  const element = document.activeElement;
  if (!element || element === part || !part?.contains(element)) return null;
  const where = { id: element.id, block: blockOf(element), action: actionOf(element) };
  return { ...where, index: alike(part, where).indexOf(element) };
}

// focusAgain puts the focus there after redrawing. It reports whether anything
// stands there.
export function focusAgain(part, where) {
  const element = (where.id && document.getElementById(where.id)) || alike(part, where)[where.index];
  element?.focus();
  return element != null && element === document.activeElement;
}

// shut closes a dialog. The focus goes back to what the browser chooses, or to
// otherwise if it chooses nobody, so that the keyboard never starts at the top of
// the page. Chromium gives the focus back while the page is still inert, and an
// input that got it so takes no text until it is focused once more.
export function shut(dialog, otherwise) {
  dialog.close();
  const focused = document.activeElement;
  const next = !focused || focused === document.body ? otherwise : focused;
  next.blur();
  next.focus();
}

const blockOf = (element) => element.closest("[data-block]")?.dataset.block;
const actionOf = (element) => element.closest("[data-action]")?.dataset.action;
const alike = (part, { block, action }) => [...part.querySelectorAll("a[href], button, input, select, textarea")]
  .filter((e) => action && blockOf(e) === block && actionOf(e) === action);
