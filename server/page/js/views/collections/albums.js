// The albums, and the searches that were saved.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";
import { albums, createAlbum, deleteAlbum, deleteSearch, renameAlbum, renameSearch, searches } from "../../api/collections.js";
import { askName, confirm } from "../../components/dialog.js";
import { focusOn } from "../../components/dom.js";
import { ALBUM, DOTS, LENS } from "../../components/icons.js";
import { mountMenu } from "../../components/menu.js";
import { count } from "../../components/words.js";
import { summary } from "./summary.js";

/**
 * The view in `element`. `albumAddress(name)` and `searchAddress(query)` say where its links lead, `go(address)` goes
 * there without a new page.
 */
export function mountAlbums(element, { albumAddress, searchAddress, go }) {
  /** @type {import("../../api/collections.js").Album[] | null} */
  let all = null;
  /** @type {import("../../api/collections.js").SavedSearch[]} */
  let saved = [];
  let problem = "";
  let turn = 0; // only the answer to the latest request counts

  async function load() {
    const mine = ++turn;
    try {
      const its = await Promise.all([albums(), searches()]);
      if (mine !== turn) return;
      [all, saved] = its;
      problem = "";
    } catch (error) {
      if (mine !== turn) return;
      problem = error.message;
    }
    draw();
  }

  function draw() {
    const had = element.contains(document.activeElement);
    render(
      html`${problem ? html`<div class="trouble" role="alert"><p>${problem}</p><button class="button" @click=${load}>Try again</button></div>` : nothing}
        <div class="albums-head"><h2>Albums</h2><button class="button" @click=${newAlbum}>${ALBUM} New album</button></div>
        ${all === null ? nothing : all.length ? html`<ul class="album-cards">${all.map(card)}</ul>` : html`<p class="soft">No albums yet. Select photos, then “Album”.</p>`}
        <h2>Saved searches</h2>
        ${saved.length
          ? html`<ul class="saved-searches">${saved.map(line)}</ul>`
          : html`<p class="soft">None yet. “Save this search” stands beside the number of hits; a saved search fills itself with new photos.</p>`}`,
      element,
    );
    for (const place of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(".more-menu"))) {
      const { kind, id } = place.dataset;
      const thing = (kind === "album" ? all : saved).find((one) => String(one.id) === id);
      const actions = kind === "album" ? ofAlbum : ofSearch;
      if (place.dataset.name === thing.name) continue; // it is there
      place.dataset.name = thing.name;
      mountMenu(place, { label: html`${DOTS}<span class="visually-hidden">More about ${thing.name}</span>`, items: () => actions(thing) });
    }
    if (had && !element.contains(document.activeElement)) focusOn("#albums .albums-head button"); // what had it was deleted
  }

  const card = (album) => html`<li>
    <a href=${albumAddress(album.name)} @click=${(event) => follow(event, albumAddress(album.name))}>
      ${album.cover === null
        ? html`<span class="cover">${ALBUM}</span>`
        : html`<img class="cover" src=${thumbnail(album.cover, 640, null)} alt="" loading="lazy">`}
      <span class="album-name">${album.name}</span> <span class="soft">${count(album.photos, "photo")}</span>
    </a>
    ${menuPlace("album", album.id)}
  </li>`;

  const line = (search) => html`<li>
    <a href=${searchAddress(search.query)} @click=${(event) => follow(event, searchAddress(search.query))}>
      ${LENS}<span><b>${search.name}</b> <span class="soft">${summary(search.query)}</span></span>
    </a>
    ${menuPlace("search", search.id)}
  </li>`;

  /** An element of its own for each album: a menu stays with what it was made for. */
  const places = new Map();
  function menuPlace(kind, id) {
    const name = `${kind} ${id}`;
    if (!places.has(name)) {
      const place = document.createElement("span");
      place.className = "menu more-menu";
      Object.assign(place.dataset, { kind, id });
      places.set(name, place);
    }
    return places.get(name);
  }

  function follow(event, address) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(address);
  }

  const afterwards = async (done) => (await done) && load();

  const newAlbum = () =>
    afterwards(askName({ title: "New album", label: "Name", button: "Create", note: "It is empty at first.", act: (name) => createAlbum(name) }));

  const ofAlbum = (album) => [
    {
      label: "Rename…",
      act: () => afterwards(askName({ title: "Rename the album", label: "Name", button: "Rename", value: album.name, act: (name) => renameAlbum(album.id, name) })),
    },
    {
      label: "Delete…",
      act: () => afterwards(confirm({ title: `Delete “${album.name}”?`, text: "Its photos stay where they are.", button: "Delete the album", act: () => deleteAlbum(album.id) })),
    },
  ];

  const ofSearch = (search) => [
    {
      label: "Rename…",
      act: () => afterwards(askName({ title: "Rename the search", label: "Name", button: "Rename", value: search.name, act: (name) => renameSearch(search.id, name) })),
    },
    {
      label: "Delete…",
      act: () => afterwards(confirm({ title: `Delete “${search.name}”?`, text: "No photo goes with it.", button: "Delete the search", act: () => deleteSearch(search.id) })),
    },
  ];

  return {
    /** Show what there is now. */
    show() {
      draw();
      load();
    },
  };
}
