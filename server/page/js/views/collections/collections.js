// What is done with photos: they are chosen, marked and put into albums; searches are saved.

import { byId } from "../../components/dom.js";
import { openSelection } from "../../state/selection.js";
import { address, ANEW, WITHOUT_FILTERS } from "../../state/search.js";
import { mountAlbums } from "./albums.js";
import { mountBar } from "./bar.js";
import { mountChoosing, orderOf } from "./choosing.js";
import { mountSaving } from "./saving.js";

/**
 * Mount all of it. `list()` is the list of photos that is shown, `redecorate()` has the grid ask about its tiles again,
 * `state()` is that of the page, `go(address)` leads to another one, and `changed()` is called when marks or albums have
 * changed. Gives what the grid asks about tiles (`grid`), the view of albums and what follows the state of the page.
 */
export function mountCollections({ list, redecorate, state, go, changed }) {
  const selection = openSelection(() => {
    redecorate();
    bar.show();
  });
  const choosing = mountChoosing(byId("grid"), selection, list);
  const bar = mountBar(byId("selection"), selection, { list, album, changed: follow, left: toPhotos });
  const saving = mountSaving(byId("saving"));
  const albums = mountAlbums(byId("albums"), { albumAddress, searchAddress, go });

  /** After marks or albums have changed: photos may have left what is shown. */
  async function follow() {
    await changed();
    selection.within(orderOf(list()));
  }

  /** The focus goes to the photo that Tab leads to, and nothing moves. */
  function toPhotos() {
    /** @type {HTMLElement | null} */
    const tile = byId("grid").querySelector("a[tabindex='0']");
    tile?.focus({ preventScroll: true });
  }

  /** The one album that is shown, or "". */
  function album() {
    const shown = state().album;
    return shown.length === 1 ? shown[0] : "";
  }

  function albumAddress(name) {
    return address({ ...state(), ...ANEW, ...WITHOUT_FILTERS, sort: "relevance", order: "", album: [name] });
  }

  function searchAddress(query) {
    return `?${query}`;
  }

  const link = byId("to-albums");
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });

  /** What follows from another state: the search that is saved would be that. */
  function show(its) {
    saving.show(its);
    document.body.dataset.view = its.view;
    for (const page of document.querySelectorAll("[aria-current=page]")) page.removeAttribute("aria-current");
    (document.getElementById(`to-${its.view}`) ?? document.querySelector(".top nav a")).setAttribute("aria-current", "page");
  }

  return {
    grid: choosing,
    view: {
      show() {
        selection.clear();
        byId("albums").hidden = false;
        albums.show();
      },
      hide: () => (byId("albums").hidden = true),
    },
    show,
    /** Another list: nothing of the last one stays chosen unseen. */
    rewind: () => selection.clear(),
    /** More of the same list. */
    grown: bar.refresh,
  };
}
