// A photo seen large, over the page. <dialog> keeps the focus inside, and the page behind out of reach.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { original, photo as factsOf, reasonOf, thumbnail } from "../../api/client.js";
import { details } from "./details.js";
import { CLOSE, LEFT, LESS, MORE, OUT, RIGHT } from "../../components/icons.js";
import { LEAST, mountPart } from "./part.js";
import { mountWhere } from "./where.js";
import { nameOf } from "../../components/words.js";

const SWIPE = 50; // pixels

/**
 * The lightbox in `dialog`. `actions` are what its buttons do: show(id), hide(), more(id), less(id), part(id, box);
 * `mayLess()` tells whether there is anything to lead away from, `asked()` gives the {phrases, language} of the answer.
 */
export function mountLightbox(dialog, actions) {
  let id = null; // of the photo that is shown, as text
  let hits = [];
  let facts = null;
  let problem = null; // why there is no picture
  let copied = false;
  let asking = null;
  const where = mountWhere(() => id && draw());
  const part = mountPart({
    changed: () => id && draw(),
    search: (box) => actions.part(id, box),
    left: () => tool("r")?.focus(),
  });
  const tool = (key) => dialog.querySelector(`.tool[aria-keyshortcuts=${key}]`);

  const at = () => hits.findIndex((hit) => String(hit.photo) === id);

  function step(by) {
    const next = hits[at() + by];
    if (at() >= 0 && next) actions.show(next.photo);
  }

  function draw() {
    const position = at();
    const hit = hits[position] ?? null;
    const content = hit?.content ?? facts?.content;
    const name = nameOf(hit?.path ?? facts?.path) || "photo";
    const isThere = !problem && Boolean(hit || facts);
    render(
      html`
        <div class="stage" @click=${(event) => event.target.classList.contains("stage") && actions.hide()}>
          ${problem
            ? html`<p class="gone-text" role="alert">${problem}</p>`
            : isThere
              ? html`${picture(content, name)}${part.isOn ? part.layer() : where.layer()}${part.isOn ? part.bar() : where.bar()}`
              : nothing}
          ${isThere ? html`<div class="tools">${part.isOn ? nothing : where.button()}${sizeOf(hit) ? part.button(beginPart) : nothing}</div>` : nothing}
          ${position > 0 && !part.isOn
            ? html`<button class="step left" aria-label="Previous photo" @click=${() => step(-1)}>${LEFT}</button>`
            : nothing}
          ${position >= 0 && position < hits.length - 1 && !part.isOn
            ? html`<button class="step right" aria-label="Next photo" @click=${() => step(1)}>${RIGHT}</button>`
            : nothing}
        </div>
        <div class="about">
          <div class="doing">
            <button class="button" @click=${() => actions.more(id)}>${MORE} More like this</button>
            <button class="button" ?disabled=${!actions.mayLess()} @click=${() => actions.less(id)}
              title=${actions.mayLess() ? "" : "First say what to look for"}>${LESS} Less like this</button>
            <a class="button" href=${original(id)} target="_blank" rel="noopener">${OUT} Original</a>
          </div>
          <div aria-live="polite">${details(facts, hit, { open: actions.show, copy, copied })}</div>
        </div>
        <button class="shut" aria-label="Close" @click=${actions.hide}>${CLOSE}</button>`,
      dialog,
    );
    dialog.setAttribute("aria-label", name);
  }

  /** Width and height of the upright photo; null if it is too small to have parts, or they are not known. */
  function sizeOf(hit) {
    const { width, height } = hit ?? facts ?? {};
    return Math.min(width ?? 0, height ?? 0) >= LEAST ? [width, height] : null;
  }

  function beginPart() {
    const size = problem ? null : sizeOf(hits[at()]);
    if (!size) return;
    part.begin(...size, where.best);
    dialog.querySelector(".drawing").focus();
  }

  // The small view is there at once, and the large one covers it when it has come. A list of one with a new element
  // for each photo, else the last photo would stay to be seen until the next has loaded.
  let drawn = null;
  function picture(content, name) {
    if (drawn?.id === id && drawn.content === content) return drawn.element;
    const element = document.createElement("div");
    element.className = "picture";
    for (const size of [320, 1600]) {
      const image = document.createElement("img");
      image.alt = size === 1600 ? name : "";
      image.decoding = "async";
      if (size === 1600) {
        image.addEventListener("load", () => element.firstChild.remove(), { once: true });
        image.addEventListener("error", () => explain(image.src), { once: true });
      }
      image.src = thumbnail(id, size, content);
      element.append(image);
    }
    drawn = { id, content, element };
    return element;
  }

  async function explain(address) {
    const mine = id;
    const reason = await reasonOf(address);
    if (mine !== id) return;
    problem = reason ?? "The picture could not be shown.";
    draw();
  }

  async function ask() {
    asking?.abort();
    asking = new AbortController();
    try {
      facts = await factsOf(id, asking.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      problem = error.message;
    }
    draw();
    const next = hits[at() + 1];
    if (next && at() >= 0) new Image().src = thumbnail(next.photo, 1600, next.content); // one will go there next
  }

  async function copy(path) {
    try {
      await navigator.clipboard.writeText(path);
    } catch {
      // Over plain HTTP browsers give no clipboard; selecting the text is the next best.
      getSelection().selectAllChildren(dialog.querySelector(".path"));
      if (!document.execCommand("copy")) return;
    }
    copied = true;
    draw();
  }

  dialog.addEventListener("cancel", (event) => {
    event.preventDefault(); // the history closes it
    if (part.isOn) part.leave();
    else actions.hide();
  });
  dialog.addEventListener("close", () => id && actions.hide()); // browsers let nobody refuse twice
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!part.key(event) && !follow(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** Do what a key says; false if it says nothing. */
  function follow(key) {
    if (part.isOn && key !== "r") return false;
    if (key === "ArrowRight") step(1);
    else if (key === "ArrowLeft") step(-1);
    else if (key === "Escape") actions.hide();
    else if (key === "w") where.toggle();
    else if (key === "r") (part.isOn ? part.leave : beginPart)();
    else return false;
    return true;
  }

  let touch = null;
  dialog.addEventListener("touchstart", (event) => {
    const on = !part.isOn && event.target.closest(".stage") && event.touches.length === 1 && visualViewport.scale === 1;
    touch = on ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null;
  }, { passive: true });
  dialog.addEventListener("touchend", (event) => {
    if (!touch) return;
    const x = event.changedTouches[0].clientX - touch.x;
    const y = event.changedTouches[0].clientY - touch.y;
    touch = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
    else if (y > 2 * SWIPE && y > 2 * Math.abs(x)) actions.hide();
  }, { passive: true });

  return {
    /** Show a photo (its id as text, or "" for none) among these hits. */
    show(photo, its) {
      hits = its;
      if (!photo) {
        id = null;
        asking?.abort();
        part.end();
        where.look(null);
        dialog.close();
        return;
      }
      const another = photo !== id;
      if (another) {
        id = photo;
        facts = problem = null;
        copied = false;
        part.end();
      }
      where.look({ photo: id, content: hits[at()]?.content ?? null, ...actions.asked() });
      draw();
      if (!dialog.open) {
        dialog.showModal();
        dialog.focus(); // the dialog itself: no button lights up, and arrows work
      }
      if (another) {
        dialog.scrollTop = 0;
        ask();
      }
    },
  };
}
