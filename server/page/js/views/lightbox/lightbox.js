// A photo seen large, over the page. <dialog> keeps the focus inside, and the page behind out of reach.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { NO_ANSWER, original, photo as factsOf, reasonOf, server, thumbnail } from "../../api/client.js";
import { CLOSE, FULL, KEYS, LEFT, LESS, MORE, OUT, PAUSE, PLAY, RIGHT, SAVE, SMALL, WHOLE, ZOOM } from "../../components/icons.js";
import { makeSlideshow } from "../../components/slideshow.js";
import { titleOf } from "../../components/title.js";
import { why } from "../../components/why.js";
import { nameOf, number } from "../../components/words.js";
import { around as aroundIn, NO_PHOTOS } from "../../state/photolist.js";
import { details, heading } from "./details.js";
import { mountMarks } from "./marks.js";
import { LEAST, mountPart } from "./part.js";
import { openPicture, VIEW } from "./picture.js";
import { makePlaceMap } from "./placemap.js";
import { mountScreen } from "./screen.js";
import { mountSwipes } from "./swipes.js";
import { mountWhere } from "./where.js";
import { mountZoom } from "./zooming.js";

const NOWHERE = aroundIn(NO_PHOTOS, "");

/**
 * The lightbox in `dialog`. `actions` are what its buttons do: show(id), hide(), more(id), less(id), part(id, box),
 * marked(id, changes), help(); linkTo(filters) and go(filters) are the address of a page with a filter, and the way
 * there. `mayLess()` tells whether there is anything to lead away from, `answer()` gives what the search answered.
 */
export function mountLightbox(dialog, actions) {
  let id = null; // of the photo that is shown, as text
  let around = NOWHERE; // its place among the photos it is one of
  let facts = null;
  let problem = null; // why there is no picture
  let note = null; // what the server has refused
  let copied = false;
  let asking = null;
  const redraw = () => id && draw();
  const where = mountWhere(redraw);
  const part = mountPart({
    changed: redraw,
    search: (box) => actions.part(id, box),
    left: () => tool("r")?.focus(),
  });
  const marks = mountMarks({
    ...actions,
    changed: redraw,
    refused(error) {
      note = error?.message ?? null;
      redraw();
    },
  });
  const placeMap = makePlaceMap();
  const screen = mountScreen(dialog, redraw);
  const zoom = mountZoom(dialog, {
    photo: () => (part.isOn || problem ? null : sizeOf()),
    close: () => part.isOn || actions.hide(),
    sharpen: () => drawn?.sharpen(),
    changed() {
      slides.stop();
      redraw();
    },
  });
  const slides = makeSlideshow({ next: () => go(1), changed: redraw });
  document.addEventListener("visibilitychange", () => slides.hold(document.hidden));
  mountSwipes(dialog, { mayBegin: () => !part.isOn && !zoom.isOn, step, close: () => actions.hide() });

  const tool = (key) => dialog.querySelector(`.tool[aria-keyshortcuts=${key}]`);

  function go(by) {
    const next = around.neighbour(by);
    if (next) actions.show(next.photo);
    return next !== null;
  }

  function step(by) {
    slides.stop();
    go(by);
  }

  function draw() {
    const { hit, index, total, neighbour } = around;
    const name = nameOf(hit?.path ?? facts?.path) || "photo";
    const isThere = !problem && Boolean(hit || facts);
    render(
      html`
        <div class=${zoom.isOn ? "stage zoomed" : "stage"} @click=${(event) => event.target === event.currentTarget && actions.hide()}>
          <div class="frame">${problem
            ? html`<p class="gone-text" role="alert">${problem}</p>`
            : isThere
              ? html`<div class="canvas">${picture(hit?.content ?? facts?.content, name)}${part.isOn ? part.layer() : where.layer()}</div>`
              : nothing}</div>
          ${isThere ? (part.isOn ? part.bar() : where.bar()) : nothing}
          <p class="refused" role="alert">${note ?? nothing}</p>
          ${index >= 0 ? html`<p class="counter">${number(index + 1)}${total === null ? nothing : ` of ${number(total)}`}</p>` : nothing}
          ${isThere ? tools(neighbour) : nothing}
          ${part.isOn ? nothing : html`${arrow("left", "Previous photo", neighbour, -1)}${arrow("right", "Next photo", neighbour, 1)}`}
        </div>
        <div class="about">
          <div aria-live=${slides.isOn ? "off" : "polite"}>${heading(facts, hit)}</div>
          ${marks.block()}
          <div class="doing">
            <button class="button" @click=${() => actions.more(id)}>${MORE} More like this</button>
            <button class="button" ?disabled=${!actions.mayLess()} @click=${() => actions.less(id)}
              title=${actions.mayLess() ? "" : "First say what to look for"}>${LESS} Less like this</button>
            <a class="button" href=${original(id)} target="_blank" rel="noopener">${OUT} Original</a>
            <a class="button" href=${original(id)} download=${name}>${SAVE} Save</a>
            <button class="button keyboard" @click=${actions.help}>${KEYS} Keys</button>
          </div>
          <div aria-live=${slides.isOn ? "off" : "polite"}>${details(facts, hit, {
            why: why(hit, actions.answer()),
            map: placeMap(facts),
            open: actions.show,
            copy,
            copied,
            linkTo: actions.linkTo,
            go: actions.go,
          })}</div>
        </div>
        <button class="shut" aria-label="Close" @click=${actions.hide}>${CLOSE}</button>`,
      dialog,
    );
    const title = titleOf(facts, hit);
    dialog.setAttribute("aria-label", title === name ? name : `${title}, ${name}`);
  }

  const arrow = (side, label, neighbour, by) =>
    neighbour(by)
      ? html`<button class="step ${side}" aria-label=${label} @click=${() => step(by)}>${by < 0 ? LEFT : RIGHT}</button>`
      : nothing;

  function tools(neighbour) {
    return html`<div class="tools">
      ${part.isOn ? nothing : where.button()}${sizeOfParts() ? part.button(beginPart) : nothing}
      ${part.isOn
        ? nothing
        : html`
          ${toggle("+", zoom.isOn, "Zoom", zoom.isOn ? WHOLE : ZOOM, zoom.toggle)}
          ${slides.isOn || neighbour(1) ? toggle("Space", slides.isOn, "Slideshow", slides.isOn ? PAUSE : PLAY, playOrStop) : nothing}
          ${screen.isPossible ? toggle("f", screen.isOn, "Full screen", screen.isOn ? SMALL : FULL, screen.toggle) : nothing}
          ${marks.heart()}`}
    </div>`;
  }

  const toggle = (key, isOn, name, sign, does) => html`<button class="tool sign-only" aria-pressed=${isOn ? "true" : "false"}
    aria-keyshortcuts=${key} title="${name} (${key.toLowerCase()})" @click=${does}>${sign}<span>${name}</span></button>`;

  function playOrStop() {
    if (!slides.isOn && !around.neighbour(1)) return;
    zoom.reset();
    slides.toggle();
  }

  /** Width and height of the upright photo, or of its view as long as nobody knows them; null before any is there. */
  function sizeOf() {
    const { width, height } = around.hit ?? facts ?? {};
    if (width && height) return { width, height };
    /** @type {HTMLImageElement} */
    const image = dialog.querySelector(".picture img");
    return image?.naturalWidth ? { width: image.naturalWidth, height: image.naturalHeight } : null;
  }

  /** Width and height of a photo that has parts; null if it is too small, or they are not known. */
  function sizeOfParts() {
    const { width, height } = around.hit ?? facts ?? {};
    return Math.min(width ?? 0, height ?? 0) >= LEAST ? [width, height] : null;
  }

  function beginPart() {
    const size = problem ? null : sizeOfParts();
    if (!size) return;
    slides.stop();
    zoom.reset(); // a box is drawn over the whole photo
    part.begin(size[0], size[1], where.best);
    dialog.querySelector(".drawing").focus();
  }

  // A new element for each photo, else the last photo would stay to be seen until the next has loaded.
  let drawn = null;
  function picture(content, name) {
    if (drawn?.id === id && (drawn.content === content || !drawn.content)) return drawn.element;
    drawn = openPicture({ id, content, name, shown: slides.shown, failed: explain });
    return drawn.element;
  }

  async function explain(address) {
    const mine = id;
    const reason = await reasonOf(address);
    if (mine !== id) return;
    problem = reason ?? "The picture could not be shown.";
    slides.shown();
    draw();
    if (reason !== NO_ANSWER) return;
    await server.back();
    if (mine !== id || problem !== NO_ANSWER) return;
    problem = drawn = null;
    draw();
  }

  async function ask() {
    asking?.abort();
    asking = new AbortController();
    try {
      facts = await factsOf(id, asking.signal);
      marks.look(facts);
    } catch (error) {
      if (error.name === "AbortError") return;
      problem = error.message;
      slides.shown();
    }
    draw();
    for (const by of [1, -1]) {
      const next = around.neighbour(by); // one will go there next
      if (next) new Image().src = thumbnail(next.photo, VIEW, next.content);
    }
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
    if (event.ctrlKey || event.metaKey || event.altKey || isForControl(event)) return;
    if (!part.key(event) && !follow(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });

  /** Whether a key means something to the control that has the focus. */
  function isForControl({ key, target }) {
    if (target.matches("input[type=radio]")) return key.startsWith("Arrow") || key === " ";
    if (target.matches("input")) return key !== "Escape";
    return key === " " && target.matches("button, a");
  }

  /** Do what a key says; false if it says nothing. */
  function follow(event) {
    const { key } = event;
    if (part.isOn && key !== "r") return false;
    if (zoom.key(event) || marks.key(event)) return true;
    if (key === "ArrowRight") step(1);
    else if (key === "ArrowLeft") step(-1);
    else if (key === "Escape") actions.hide();
    else if (key === " ") playOrStop();
    else if (key === "f") screen.toggle();
    else if (key === "w") where.toggle();
    else if (key === "r") (part.isOn ? part.leave : beginPart)();
    else return false;
    return true;
  }

  function close() {
    id = drawn = null;
    asking?.abort();
    part.end();
    zoom.reset();
    slides.stop();
    screen.leave();
    where.look(null);
    dialog.close();
  }

  function begin(photo) {
    id = photo;
    facts = problem = note = null;
    copied = false;
    part.end();
    marks.look(null);
    zoom.reset();
    slides.wait();
  }

  return {
    /** Show a photo (its id as text, or "" for none), of which `its` says where in a list it is. */
    show(photo, its) {
      around = its;
      if (!photo) return close();
      const isAnother = photo !== id;
      if (isAnother) begin(photo);
      const { phrases = [], language = null } = actions.answer() ?? {};
      where.look({ photo: id, content: around.hit?.content ?? null, phrases, language });
      draw();
      if (!dialog.open) {
        dialog.showModal();
        dialog.focus(); // the dialog itself: no button lights up, and arrows work
      }
      if (isAnother) {
        dialog.scrollTop = 0;
        ask();
      }
    },
  };
}
