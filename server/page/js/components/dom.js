// Elements of the page.

/**
 * The element with this id, which the page has.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export const byId = (id) => /** @type {T} */ (document.getElementById(id));

/**
 * The element nearest to where something happened, itself included, that a selector finds.
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

/** Gives the focus to the first element that a selector finds, if there is one. */
export function focusOn(selector) {
  /** @type {HTMLElement} */
  const element = document.querySelector(selector);
  element?.focus();
}
