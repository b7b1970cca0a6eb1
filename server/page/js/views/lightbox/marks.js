// What one says of a photo: a rating, whether it is a favourite, the albums it is in. Shown as changed at once, and taken
// back with a note when the server refuses.

import { html, nothing } from "../../../vendor/lit-html.js";
import { addToAlbum, albums as allAlbums, createAlbum, mark, removeFromAlbum } from "../../api/collections.js";
import { focusOn } from "../../components/dom.js";
import { CLOSE, HEART, MORE, STAR } from "../../components/icons.js";
import { link } from "../../components/link.js";
import { optimistic } from "../../components/optimistic.js";
import { count } from "../../components/words.js";

const STARS = [1, 2, 3, 4, 5];

/**
 * The marks of one lightbox. `changed()` is called when there is something else to draw, `marked(photo, changes)` when
 * the server has kept a rating or favourite, or an album (without changes then), `refused(error)` when it has not kept
 * something (null: that is over). `linkTo` and `go` lead to a page with a filter.
 */
export function mountMarks({ changed, marked, refused, linkTo, go }) {
  let photo = 0;
  let rating = null; // each an optimistic value; null where the server has none
  let favourite = null;
  let albums = null;
  let menu = null; // the albums to choose from, while they are shown; "asked" while they are on their way

  async function keep(value, next, send) {
    refused(null); // what was said of the last one
    try {
      await value.set(next, send);
      return true;
    } catch (error) {
      refused(error);
      return false;
    }
  }

  async function rate(stars) {
    const its = photo;
    if (await keep(rating, stars, () => mark([its], { rating: stars }))) marked(its, { rating: stars || null });
  }

  async function like() {
    if (!favourite) return;
    const [its, next] = [photo, !favourite.value];
    if (await keep(favourite, next, () => mark([its], { favourite: next }))) marked(its, { favourite: next });
  }

  async function add(album) {
    const [its, value] = [photo, albums];
    closeMenu();
    if (value.value.some(({ id }) => id === album.id)) return;
    if (await keep(value, [...value.value, album], () => addToAlbum(album.id, [its]))) marked(its, {});
  }

  async function remove(album) {
    const its = photo;
    const kept = keep(albums, albums.value.filter(({ id }) => id !== album.id), () => removeFromAlbum(album.id, [its]));
    toOpener(); // the button that was pressed is gone
    if (await kept) marked(its, {});
  }

  async function create(event) {
    event.preventDefault();
    const name = String(new FormData(event.target).get("name")).trim();
    if (!name) return;
    const [its, value] = [photo, albums];
    try {
      const { id } = await createAlbum(name, [its]);
      await value.set([...value.value, { id, name }], async () => {});
      if (its === photo) closeMenu();
      marked(its, {});
    } catch (error) {
      refused(error);
    }
  }

  const toOpener = () => focusOn("#lightbox .album-opener");

  async function openMenu() {
    if (menu) return closeMenu();
    menu = "asked";
    changed();
    try {
      menu = await allAlbums();
    } catch (error) {
      menu = null;
      refused(error);
    }
    changed();
    focusOn("#lightbox .album-menu :is(button, input)");
  }

  function closeMenu() {
    menu = null;
    changed();
    toOpener();
  }

  function star(n) {
    const name = n ? count(n, "star") : "No rating";
    return html`<label class=${n && n <= rating.value ? "star on" : "star"} title=${n ? `${name} (${n})` : name}>
      <input type="radio" name="rating" .checked=${rating.value === n} @change=${() => rate(n)}>
      <span class="visually-hidden">${name}</span>${n ? STAR : CLOSE}</label>`;
  }

  function albumList() {
    return html`<div class="albums" role="group" aria-label="Albums">
      ${albums.value.map(
        (album) => html`<span class="album">${link(linkTo, go, { album: [album.name] }, album.name)}<button
          aria-label="Remove from ${album.name}" title="Remove from this album" @click=${() => remove(album)}>${CLOSE}</button></span>`,
      )}
      <button class="plain album-opener" aria-expanded=${menu ? "true" : "false"} @click=${openMenu}>${MORE} Add to album</button>
      ${Array.isArray(menu) ? albumMenu() : nothing}
    </div>`;
  }

  function albumMenu() {
    const others = menu.filter((album) => !albums.value.some(({ id }) => id === album.id));
    return html`<div class="album-menu" role="group" aria-label="Add to album">
      ${others.map((album) => html`<button class="choice" @click=${() => add(album)}>
        <span class="value">${album.name}</span><span class="soft">${album.photos}</span></button>`)}
      <form @submit=${create}><input name="name" aria-label="New album" placeholder="New album" maxlength="200" autocomplete="off">
        <button class="button">Add</button></form>
    </div>`;
  }

  return {
    /** Look at a photo by its facts; null while they are on their way. */
    look(facts) {
      photo = facts?.photo ?? 0;
      menu = null;
      rating = facts && "rating" in facts ? optimistic(facts.rating ?? 0, changed) : null;
      favourite = facts && "favourite" in facts ? optimistic(Boolean(facts.favourite), changed) : null;
      albums = facts?.albums ? optimistic(facts.albums, changed) : null;
    },
    heart() {
      if (!favourite) return nothing;
      return html`<button class="tool sign-only heart" aria-pressed=${favourite.value ? "true" : "false"} aria-keyshortcuts="l"
        title="Favourite (l)" @click=${like}>${HEART}<span>Favourite</span></button>`;
    },
    block() {
      return html`${rating
        ? html`<fieldset class="rating" role="radiogroup"><legend class="visually-hidden">Rating</legend>
            ${STARS.map(star)}${star(0)}</fieldset>`
        : nothing}
      ${albums ? albumList() : nothing}`;
    },
    /** Do what a key says; false if it says nothing. */
    key(event) {
      if (event.key === "Escape" && menu) closeMenu();
      else if (event.key === "l" && favourite) like();
      else if (rating && STARS.includes(Number(event.key))) rate(rating.value === Number(event.key) ? 0 : Number(event.key));
      else return false;
      return true;
    },
  };
}
