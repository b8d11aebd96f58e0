// Elements; text is always set as text, so that no name becomes markup.

export const $ = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function bar(share) {
  const width = Math.max(0, Math.min(100, 100 * share));
  const filled = drawing("rect", { width: `${width}`, height: "5" });
  return drawing("svg", { viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" }, filled);
}

export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "<0.1\u00a0%";
  return `${value.toFixed(value < 9.95 || value > 99 ? 1 : 0)}\u00a0%`;
}

// A sentence, in which a number and its unit stay on one line.
export function sentence(text) {
  return (text[0].toUpperCase() + text.slice(1)).replaceAll(/(\d) (%|octants|points)/g, "$1\u00a0$2");
}
