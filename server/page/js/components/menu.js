// A button that opens a short list of things to do. The browser's popover closes it (Escape, a click elsewhere) and
// gives the focus back.

import { html, nothing, render } from "../../vendor/lit-html.js";
import { DOWN } from "./icons.js";

/** @typedef {{label: string, act: () => unknown, note?: string, name?: string}} MenuItem */

let made = 0; // menus so far, for their ids
const GAP = 6; // pixels between button and list
const drawn = () => new Promise(requestAnimationFrame); // just before the browser paints

/**
 * A menu in `element`. `items()` is asked each time it opens; `name` of an item is for screen readers, where its label
 * is signs.
 * @param {HTMLElement} element
 * @param {{label: unknown, title?: string, items: () => MenuItem[] | Promise<MenuItem[]>}} options
 */
export function mountMenu(element, { label, title = "", items }) {
  const id = `menu-${++made}`;
  /** @type {MenuItem[] | null} */
  let shown = null;
  let problem = "";
  /** @type {() => HTMLElement} */
  const list = () => element.querySelector(".menu-list");

  function draw() {
    render(
      html`<button class="button" popovertarget=${id} aria-haspopup="menu" title=${title || nothing}>${label}${DOWN}</button>
        <div class="menu-list" id=${id} popover role="menu" @beforetoggle=${toggle} @keydown=${key}>
          ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}
          ${shown === null && !problem ? html`<p class="soft">loading…</p>` : nothing}
          ${(shown ?? []).map((item) => html`<button role="menuitem" tabindex="-1" aria-label=${item.name ?? nothing}
            @click=${() => choose(item)}><span class="value">${item.label}</span>${item.note ? html`<span class="soft">${item.note}</span>` : nothing}</button>`)}
        </div>`,
      element,
    );
  }

  async function toggle(event) {
    element.querySelector("button").setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open") return;
    shown = null;
    problem = "";
    draw();
    const frame = drawn().then(place); // never seen anywhere else
    try {
      shown = await items();
    } catch (error) {
      problem = error.message;
    }
    draw();
    await frame;
    place();
    /** @type {HTMLElement} */ (list().querySelector("[role=menuitem]"))?.focus();
  }

  /** Above the button or below it, where there is more room; on a phone the style sheet says. */
  function place() {
    const { style } = list();
    style.left = style.top = style.bottom = "";
    if (!matchMedia("(min-width: 761px)").matches) return;
    const box = element.getBoundingClientRect();
    style.left = `${Math.max(GAP, Math.min(box.left, innerWidth - list().offsetWidth - GAP))}px`;
    if (box.top > innerHeight / 2) style.bottom = `${innerHeight - box.top + GAP}px`;
    else style.top = `${box.bottom + GAP}px`;
  }

  function choose(item) {
    list().hidePopover();
    item.act();
  }

  function key(event) {
    const all = [...list().querySelectorAll("[role=menuitem]")];
    const at = all.indexOf(document.activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 };
    event.stopPropagation();
    if (event.key === "Tab") list().hidePopover();
    if (!(event.key in steps) || !all.length) return;
    event.preventDefault();
    /** @type {HTMLElement} */ (all[steps[event.key] % all.length]).focus();
  }

  draw();
}
