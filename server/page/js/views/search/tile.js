// One photo in the grid: a link with its picture. Made by hand rather than with templates: a picture that stays keeps its
// element (no second load, no wrong picture for a moment).

import { server, thumbnail } from "../../api/client.js";
import { momentOf, nameOf, percent } from "../../components/words.js";

/** A tile for a photo, without its picture. */
export function makeTile(photo) {
  const tile = document.createElement("a");
  tile.dataset.photo = photo;
  const foot = document.createElement("span");
  foot.className = "foot";
  foot.setAttribute("aria-hidden", "true"); // the link's name says it as well
  tile.append(foot);
  return tile;
}

/** A tile that another photo had, as if it were new. */
export function reuseTile(tile, photo) {
  tile.querySelector(".gone-text")?.remove();
  tile.className = "";
  tile.dataset.photo = photo;
  for (const name of ["at", "content"]) delete tile.dataset[name];
  for (const name of ["href", "aria-describedby"]) tile.removeAttribute(name);
  return tile;
}

/**
 * What is known of the photo, on its tile. Without `facts`, which are on their way, it is the `at`-th of `total`.
 * @param {HTMLAnchorElement} tile
 * @param {import("../../state/photolist.js").Facts | null} facts
 */
export function describe(tile, facts, { href, at, total, title }) {
  tile.href = href;
  tile.dataset.at = at;
  tile.setAttribute("aria-label", facts ? labelOf(facts) : `Photo ${at + 1} of ${total}`);
  tile.title = facts ? title(facts) : "";
  tile.querySelector(".foot").textContent = facts?.date ? dayOf(facts) : "";
  badge(tile, facts?.alike?.length ?? 0);
}

/** Load the picture for a tile of so many pixels a side, unless it is there. */
export function loadPicture(tile, facts, side) {
  const old = tile.querySelector("img");
  const content = facts.content ?? "";
  if (tile.dataset.content === content && (old?.hasAttribute("src") || tile.querySelector(".gone-text"))) return;
  tile.dataset.content = content;
  tile.querySelector(".gone-text")?.remove();
  const image = old ?? document.createElement("img");
  if (!old) {
    image.decoding = "async";
    image.draggable = true;
    image.alt = ""; // the link has the name
    tile.prepend(image);
  }
  let isAgain = false;
  image.onerror = async () => {
    if (!isAgain) {
      isAgain = true;
      const failed = image.src;
      await server.back(); // the photo may be well, and only the server away
      if (image.src === failed) image.src = failed;
      return;
    }
    const text = document.createElement("span");
    text.className = "gone-text";
    text.textContent = `${nameOf(facts.path)} is gone or cannot be read`;
    image.replaceWith(text);
  };
  image.src = thumbnail(facts.photo, side * devicePixelRatio <= 340 ? 320 : 640, facts.content);
}

/**
 * Let the picture of a tile go that is out of the document. One that nobody waits for any more would hold up the next ones:
 * browsers have six lines to a server. One that has come would keep its pixels until somebody collects garbage.
 */
export function dropPicture(tile) {
  tile.querySelector("img")?.removeAttribute("src");
}

function badge(tile, alike) {
  tile.querySelector(".alike")?.remove();
  if (!alike) return;
  const span = document.createElement("span");
  span.className = "alike";
  span.textContent = `+${alike}`;
  tile.append(span);
}

const dayOf = ({ date, date_from }) => (date_from === "file" ? "file of " : "") + momentOf(date);

function labelOf(facts) {
  const parts = [nameOf(facts.path)];
  if (facts.date) parts.push(dayOf(facts));
  if (facts.confidence != null) parts.push(`${percent(facts.confidence)} probable`);
  if (facts.alike?.length) parts.push(`and ${facts.alike.length} almost the same`);
  return parts.join(", ");
}
