/** Two helpers over the document. */

/**
 * @template {Element} T
 * @param {string} id
 * @returns {T}
 */
export function byID(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return /** @type {T} */ (/** @type {unknown} */ (found));
}

/**
 * An element with text, attributes and children; text never becomes markup.
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * @param {Element} list a dl
 * @param {string[][]} facts term and description
 */
export function showFacts(list, facts) {
  list.replaceChildren(...facts.map(([term, text]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, text))));
}

/**
 * @param {HTMLElement} list a ul, hidden when empty
 * @param {string[]} lines
 */
export function showLines(list, lines) {
  list.replaceChildren(...lines.map((line) => element("li", {}, line)));
  list.hidden = lines.length === 0;
}
