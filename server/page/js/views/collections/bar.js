// The bar of what can be done with the photos that are chosen.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { addToAlbum, albums, createAlbum, factsOfAll, mark, removeFromAlbum } from "../../api/collections.js";
import { askName, copyText } from "../../components/dialog.js";
import { ALBUM, CLOSE, COPY, SAVE, STAR } from "../../components/icons.js";
import { mountMenu } from "../../components/menu.js";
import { count, number } from "../../components/words.js";
import { orderOf } from "./choosing.js";

const MOST_IN_A_ZIP = 5000; // photos; the server's limit
const STARS = ["★", "★★", "★★★", "★★★★", "★★★★★"];

/**
 * The bar in `element`, there while photos of `selection` are chosen. `list()` is what is shown, `album()` the name of
 * the one album that is, or ""; `changed()` is called when marks or albums of photos have changed,
 * `left()` when the bar goes away with the focus in it.
 * @param {HTMLElement} element
 * @param {ReturnType<typeof import("../../state/selection.js").openSelection>} selection
 */
export function mountBar(element, selection, { list, album, changed, left }) {
  let said = ""; // what was done
  let problem = "";
  const ids = () => selection.ids(orderOf(list()));

  render(
    html`<div role="toolbar" aria-label="Selected photos">
      <button class="sign" aria-label="Clear the selection" title="Clear the selection (Escape)" @click=${() => selection.clear()}>${CLOSE}</button>
      <p class="how-many"></p>
      <form class="download" method="post" action="api/download" @submit=${fill}>
        <input type="hidden" name="photos">
        <button class="button" title="Download as a zip file">${SAVE}<span>Download</span></button>
      </form>
      <button class="button copy" title="Copy the paths of the files" @click=${copyPaths}>${COPY}<span>Copy paths</span></button>
      <span class="menu of-albums"></span>
      <span class="menu of-marks"></span>
    </div>`,
    element,
  );
  mountMenu(element.querySelector(".of-albums"), { label: html`${ALBUM}<span>Album</span>`, title: "Add to an album", items: ofAlbums });
  mountMenu(element.querySelector(".of-marks"), { label: html`${STAR}<span>Rate</span>`, title: "Rate, or mark as favourite", items: ofMarks });

  function show() {
    const was = element.hidden;
    const hadFocus = element.contains(document.activeElement);
    element.hidden = !selection.size;
    if (hadFocus && element.hidden) left();
    document.documentElement.classList.toggle("choosing-photos", selection.size > 0);
    if (element.hidden) return;
    const { length, total } = list();
    const isAll = selection.size >= length;
    const isPart = isAll && total > length; // hits come page by page, and only those that are there can be chosen
    const chosen = isPart ? `The first ${number(selection.size)} of ${number(total)} selected` : `${number(selection.size)} selected`;
    render(
      html`<span role="status">${said || chosen}</span>
        ${isAll || said ? nothing : html`<button class="plain" @click=${() => selection.all(orderOf(list()))}>Select all ${number(length)}</button>`}
        ${problem ? html`<span class="bad" role="alert">${problem}</span>` : nothing}`,
      /** @type {HTMLElement} */ (element.querySelector(".how-many")),
    );
    if (was) problem = "";
  }

  function tell(text, wrong = "") {
    said = text;
    problem = wrong;
    show();
  }

  /** Do something with the chosen photos and say what was done, or why not. */
  async function act(doing) {
    try {
      tell(await doing(ids()));
      changed();
    } catch (error) {
      tell("", error.message);
    }
  }

  /** Ids into the form: as a form's answer, the browser writes the zip to disk as it comes. */
  function fill(event) {
    if (selection.size > MOST_IN_A_ZIP) {
      event.preventDefault();
      tell("", `A zip file holds at most ${number(MOST_IN_A_ZIP)} photos; select fewer.`);
      return;
    }
    element.querySelector("input").value = ids().join();
    tell(`Downloading ${count(selection.size, "photo")}`);
  }

  async function copyPaths() {
    try {
      const photos = await factsOfAll(ids());
      const isCopied = await copyText(photos.map((photo) => photo.path).join("\n"), "Paths of the selected photos");
      if (isCopied) tell(`${count(photos.length, "path")} copied`);
    } catch (error) {
      tell("", error.message);
    }
  }

  async function ofAlbums() {
    const all = await albums();
    const open = all.find(({ name }) => name === album());
    return [
      ...(open ? [{ label: `Remove from “${open.name}”`, act: () => act(async (photos) => {
        await removeFromAlbum(open.id, photos);
        return `${count(photos.length, "photo")} removed from “${open.name}”`;
      }) }] : []),
      { label: "New album…", act: newAlbum },
      ...all.filter((one) => one !== open).map((one) => ({
        label: one.name,
        note: number(one.photos),
        name: `Add to ${one.name}`,
        act: () => act(async (photos) => {
          await addToAlbum(one.id, photos);
          return `${count(photos.length, "photo")} added to “${one.name}”`;
        }),
      })),
    ];
  }

  async function newAlbum() {
    const photos = ids();
    const made = await askName({
      title: "New album",
      label: "Name",
      button: "Create",
      note: `With ${count(photos.length, "photo")}.`,
      act: (name) => createAlbum(name, photos),
    });
    if (!made) return;
    tell(`${count(photos.length, "photo")} added to “${made.name}”`);
    changed();
  }

  function ofMarks() {
    const rated = (rating, done) => () => act(async (photos) => {
      await mark(photos, { rating });
      return `${count(photos.length, "photo")} ${done}`;
    });
    const favoured = (favourite, done) => () => act(async (photos) => {
      await mark(photos, { favourite });
      return `${count(photos.length, "photo")} ${done}`;
    });
    return [
      { label: "♥ Favourite", name: "Favourite", act: favoured(true, "marked as favourite") },
      ...STARS.map((stars, at) => ({ label: stars, name: count(at + 1, "star"), act: rated(at + 1, `rated ${count(at + 1, "star")}`) })).reverse(),
      { label: "No rating", act: rated(0, "without a rating now") },
      { label: "Not a favourite", act: favoured(false, "no longer favourites") },
    ];
  }

  show();
  return {
    /** Other photos are chosen. */
    show() {
      said = problem = "";
      show();
    },
    /** The list has changed; what was done is still said. */
    refresh: show,
  };
}
