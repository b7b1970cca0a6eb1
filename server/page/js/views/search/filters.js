// The filters as chips. Each opens a panel with what there is, and how many photos of each.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { collections } from "../../api/collections.js";
import { closest } from "../../components/dom.js";
import { CLOSE, DOWN } from "../../components/icons.js";
import { dates } from "./dates.js";
import { folderTree } from "./foldertree.js";
import { ratingName, ratings } from "./ratings.js";
import { isFiltered, WITHOUT_FILTERS } from "../../state/search.js";
import { number, spanName } from "../../components/words.js";

const KINDS = [
  { name: "date", label: "Date", none: "no photo has a date" },
  { name: "path", label: "Folder", facet: "folders", none: "no folders" },
  { name: "place", label: "Place", facet: "places", none: "no photo says where it was taken" },
  { name: "album", label: "Album", none: "no albums yet: select photos, then “Album”" },
  { name: "rating", label: "Rating", none: "" },
  { name: "camera", label: "Camera", facet: "cameras", none: "no photo names its camera" },
  { name: "more", label: "More", none: "" },
];
/** What has no chip of its own: all chips are in one line beside the others. */
const MORE = [
  { name: "shape", label: "Shape", facet: "shapes", one: true, none: "no shapes" },
  { name: "format", label: "Format", facet: "formats", none: "no formats" },
];

const MANY = 15; // values: one finds among more by a part of the name
const MOST = 200; // values in a list
const folded = (text) => text.trim().toLocaleLowerCase();

/** Chips in `element`; `change(changes)` is called with what was chosen. */
export function mountFilters(element, change) {
  let state = null;
  let facets = null;
  let kept = null; // albums and marks, as /api/albums says it
  let problem = ""; // why they are not there
  let opened = null; // the kind whose panel is open
  let year = null; // whose months are listed
  let sought = ""; // in the names of the open panel
  const unfolded = new Set(); // the folders whose folders are listed

  function draw() {
    render(
      html`${KINDS.map(chip)}
      ${isFiltered(state)
        ? html`<button class="plain" @click=${clearAll}>Clear filters</button>`
        : nothing}`,
      element,
    );
  }

  function chip(kind) {
    const value = valueOf(kind);
    const id = `panel-${kind.name}`;
    return html`<div class="filter ${value ? "on" : ""}" data-kind=${kind.name}>
      <button class="chip" aria-expanded=${opened === kind.name ? "true" : "false"} aria-controls=${id}
        @click=${() => toggle(kind.name)}>
        <span>${kind.label}${value ? html`: <b>${value}</b>` : nothing}</span>${DOWN}
      </button>
      ${value
        ? html`<button class="chip end" aria-label=${kind.name === "more" ? "Any shape and format" : `Any ${kind.label.toLowerCase()}`} @click=${() => clear(kind)}>${CLOSE}</button>`
        : nothing}
      <div class="panel" id=${id} role="group" aria-label=${kind.label} ?hidden=${opened !== kind.name}>
        ${opened === kind.name ? panel(kind) : nothing}
      </div>
    </div>`;
  }

  function valueOf(kind) {
    if (kind.name === "date") return state.after || state.before ? spanName(state.after, state.before) : "";
    if (kind.name === "rating") return ratingName(state);
    if (kind.name === "more") return MORE.map(valueOf).filter(Boolean).join(", ");
    const chosen = [state[kind.name]].flat();
    return chosen.length > 1 ? `${chosen.length} chosen` : (chosen[0] ?? "");
  }

  function clear(kind) {
    opened = null;
    if (kind.name === "date") change({ after: "", before: "" });
    else if (kind.name === "rating") change({ rating: "", favourite: "" });
    else if (kind.name === "more") change({ shape: "", format: [] });
    else change({ [kind.name]: kind.one ? "" : [] });
    element.querySelector(`[data-kind=${kind.name}] .chip`).focus();
  }

  function clearAll() {
    change(WITHOUT_FILTERS);
    element.querySelector(".chip").focus(); // the button that had the focus is gone
  }

  function panel(kind) {
    const isOfCollections = kind.name === "album" || kind.name === "rating";
    if (isOfCollections && problem) return html`<p class="problem" role="alert">${problem}</p>`;
    if (!(isOfCollections ? kept : facets)) return html`<p class="soft">counting…</p>`;
    if (kind.name === "date") return dates(facets, state, { year, change, open: (its) => (year = its) });
    if (kind.name === "rating") return ratings(kept, state, change);
    if (kind.name === "more") return MORE.map((one) => html`<h2>${one.label}</h2>${choices(one, facets[one.facet] ?? [])}`);
    if (kind.name === "album") return choices(kind, kept.albums.map(({ name, photos }) => ({ value: name, photos })));
    return choices(kind, facets[kind.facet] ?? []);
  }

  /** Albums and marks change without a new facet of the library: they are asked for when they are to be seen. */
  async function askForCollections() {
    try {
      kept = await collections();
      problem = "";
    } catch (error) {
      problem = error.message;
    }
    draw();
  }

  function choices(kind, there) {
    const chosen = [state[kind.name]].flat().filter(Boolean);
    const values = new Set(there.map((one) => one.value));
    // What is chosen stays to be seen even if nothing has it any more.
    const gone = chosen.filter((value) => !values.has(value)).map((value) => ({ value, photos: 0 }));
    if (!gone.length && !there.length) return html`<p class="soft">${kind.none}</p>`;
    const box = ({ value, photos }, name = value) => html`<label>
        <input type="checkbox" .checked=${chosen.includes(value)} @change=${() => choose(kind, value, chosen)}>
        <span class="value">${name}</span> <span class="soft">${number(photos)}</span>
      </label>`;
    const wanted = folded(sought);
    const found = wanted ? there.filter(({ value }) => folded(value).includes(wanted)) : there;
    const isTree = kind.name === "path" && !wanted;
    return html`${there.length > MANY ? finder(kind) : nothing}
      ${found.length || gone.length ? nothing : html`<p class="soft">None has “${sought}” in its name.</p>`}
      <ul>${gone.map((one) => html`<li>${box(one)}</li>`)}
        ${isTree ? folderTree(there, { box, chosen, isOpen: (value) => unfolded.has(value), toggle: unfold }) : found.slice(0, MOST).map((one) => html`<li>${box(one)}</li>`)}</ul>
      ${!isTree && found.length > MOST ? html`<p class="soft">And ${number(found.length - MOST)} more: write a part of the name.</p>` : nothing}`;
  }

  const finder = (kind) => html`<input type="search" class="finder" placeholder="Find" aria-label="Find in ${kind.label}" .value=${sought}
    @input=${(event) => {
      sought = event.target.value;
      draw();
    }}>`;

  function unfold(value) {
    if (!unfolded.delete(value)) unfolded.add(value);
    draw();
  }

  function choose(kind, value, chosen) {
    const others = chosen.filter((one) => one !== value);
    if (kind.one) change({ [kind.name]: chosen.includes(value) ? "" : value });
    else change({ [kind.name]: chosen.includes(value) ? others : [...others, value] });
  }

  function toggle(name) {
    opened = opened === name ? null : name;
    year = null;
    sought = "";
    if (opened === "album" || opened === "rating") askForCollections();
    draw();
    // Not into the field on a phone: its keyboard would cover the panel.
    const first = matchMedia("(pointer: coarse)").matches ? "input:not(.finder), button" : "input, button";
    element.querySelector(".panel:not([hidden])")?.querySelector(first)?.focus({ preventScroll: true });
  }

  function close(withFocus) {
    if (!opened) return;
    const name = opened;
    opened = null;
    draw();
    if (withFocus) element.querySelector(`[data-kind=${name}] .chip`).focus();
  }

  document.addEventListener("pointerdown", (event) => {
    if (opened && !closest(event, `[data-kind=${opened}]`)) close(false);
  });
  element.addEventListener("focusout", (event) => {
    const next = event.relatedTarget;
    if (opened && next && !next.closest(`[data-kind=${opened}]`)) close(false);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened) {
      event.stopPropagation();
      close(true);
    }
  });

  return {
    show(its) {
      state = its;
      draw();
    },
    /** What there is, as /api/facets says it. */
    count(its) {
      facets = its;
      draw();
    },
  };
}
