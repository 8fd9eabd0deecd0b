// The parts of the page by their ids.

export const byId = (id) => document.getElementById(id);

// Only what differs is written: a live region speaks up at every change.
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

// Return a new element with attributes and children; a string becomes text.
export function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
