// The picture of a photo, from a small view to its own file, each over the one before.

import { original, thumbnail } from "../../api/client.js";

export const VIEW = 1600; // pixels of the longer side of the largest view
const SHOWN = new Set(["jpg", "jpeg", "jfif", "png", "gif", "webp", "avif", "bmp"]); // formats that browsers show

/**
 * An element with the picture of a photo. The small view is there at once, and the large one covers it when it has come.
 * `shown()` is called then, `failed(address)` if it does not load.
 */
export function openPicture({ id, content, name, shown, failed }) {
  const element = document.createElement("div");
  element.className = "picture";
  let sharpened = false;

  /** Lay another picture over the others, which are taken away when it is there. */
  function add(source, alt) {
    const image = document.createElement("img");
    image.alt = alt;
    image.decoding = "async";
    image.draggable = false; // else a mouse that moves the photo would carry its picture away
    image.src = source;
    element.append(image);
    return image;
  }

  function cover(image) {
    while (element.firstChild !== image) element.firstChild.remove();
  }

  add(thumbnail(id, 320, content), "");
  const view = add(thumbnail(id, VIEW, content), name);
  view.addEventListener("load", () => {
    cover(view);
    shown();
  }, { once: true });
  view.addEventListener("error", () => failed(view.src), { once: true });

  return {
    id,
    content,
    element,
    /** Show the photo's own file, if browsers can; where it does not load, the view stays. */
    sharpen() {
      if (sharpened || !SHOWN.has(name.split(".").at(-1).toLowerCase())) return;
      sharpened = true;
      const image = add(original(id), "");
      const drop = () => image.remove();
      image.addEventListener("error", drop, { once: true });
      // Decoded first: a large photo would else stop the hand for as long as that takes.
      image.decode().then(() => {
        image.alt = name;
        cover(image);
      }, drop);
    },
  };
}
