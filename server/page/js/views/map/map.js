// The map view: all photos that have a place and pass the filters. Loaded when it is opened.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask, thumbnail } from "../../api/client.js";
import { circle } from "../../components/geo.js";
import { mountMap } from "../../components/map.js";
import { number } from "../../components/words.js";

const SMALL = 320; // pixels of a thumbnail

/**
 * The map view in an element.
 * @param {HTMLElement} element
 * @param {{
 *   open: (photo: number) => void,
 *   choose: (filter: {near: string, within: string}) => void,
 *   failed: (error: Error, again: () => void) => void,
 * }} options `open` shows a photo large; `choose` shows the photos around a point, as these filters find them
 * @returns {{show: (filters: URLSearchParams) => Promise<void>}} `show` can be called again with other filters
 */
export function mountMapView(element, { open, choose, failed }) {
  element.classList.add("map-view");
  let mounting = null; // a promise of the map
  let map = null;
  let filters = new URLSearchParams();
  let fitted = null; // the filters for which the map was fitted
  let running = null; // AbortController of the request on its way
  let answer = null;

  function say() {
    const around = answer?.points.length ? map.around() : null;
    const photos = answer?.photos;
    render(
      html`<p role="status">${answer === null ? "" : photos ? `${number(photos)} ${photos === 1 ? "photo has" : "photos have"} a place` : "None of these photos has a place."}</p>
        ${around ? html`<button type="button" @click=${() => choose(around)}>Show the photos seen here</button>` : nothing}`,
      head,
    );
  }

  /** @param {import("../../components/map.js").Point} point */
  function press(point) {
    const [latitude, longitude, photos, photo, , , km] = point;
    if (photos === 1) open(photo);
    else if (map.isOnePlace(point)) choose(circle([latitude, longitude], [{ latitude, longitude, km }]));
    else map.approach(point);
  }

  async function load() {
    running?.abort();
    const own = (running = new AbortController());
    const isNew = fitted !== String(filters);
    const part = isNew ? { zoom: 0 } : map.part();
    try {
      const asked = new URLSearchParams([...filters, ...Object.entries(part).map(([name, value]) => [name, String(value)])]);
      const got = await ask(`api/map?${asked}`, { signal: own.signal });
      if (own !== running) return;
      answer = got;
      if (isNew) {
        fitted = String(filters);
        if (got.bounds) map.fit(got.bounds);
        // The map asks for what is seen now when it has moved.
        return own === running ? await load() : undefined;
      }
      map.show(got.points);
      map.name(got.towns);
      say();
    } catch (error) {
      if (error.name !== "AbortError") failed(error, load);
    }
  }

  const head = document.createElement("div");
  head.className = "map-head";
  const pane = document.createElement("div");
  pane.className = "map-pane";
  pane.tabIndex = 0;
  pane.setAttribute("role", "region");
  pane.setAttribute("aria-label", "Map of photos. Arrow keys move it, plus and minus change its scale.");
  const source = document.createElement("p");
  source.className = "map-source";
  source.textContent = "Places: GeoNames, CC BY 4.0. Land: Natural Earth.";
  element.append(head, pane, source);

  return {
    async show(wanted) {
      filters = wanted;
      element.style.setProperty("--map-above", `${Math.round(element.getBoundingClientRect().top + scrollY) + 12}px`);
      mounting ??= mountMap(pane, {
        pictureOf: (photo, content) => thumbnail(photo, SMALL, content),
        nameOf: ([, , photos, , , town]) =>
          photos === 1 ? `A photo${town ? ` near ${town}` : ""}` : `${number(photos)} photos${town ? `, the latest near ${town}` : ""}`,
        press,
        moved: () => map && fitted !== null && load(),
      });
      mounting.catch(() => (mounting = null)); // the next one tries again
      map = await mounting;
      map.resize();
      await load();
    },
  };
}
