// Going to a date among all photos.

import { html, render } from "../../../vendor/lit-html.js";
import { photos } from "../../api/client.js";
import { dayAfter, monthDay } from "../../components/words.js";
import { browsing } from "../../state/search.js";

/**
 * The panel in `details`. `change(changes)` sets a filter, `go(photo)` goes to a photo, `failed(error)` says why it does not.
 * @param {HTMLDetailsElement} details
 */
export function mountJump(details, { state, change, go, failed }) {
  const today = new Date();
  const day = [today.getMonth() + 1, today.getDate()].map((part) => String(part).padStart(2, "0")).join("-");

  async function jump(date) {
    if (!date) return;
    const asked = browsing({ ...state(), sort: "date", order: "" });
    const end = dayAfter(date);
    if (!asked.get("before") || asked.get("before") > end) asked.set("before", end);
    asked.set("limit", "1");
    try {
      const found = (await photos(asked)).photos[0];
      details.open = false;
      go(found?.photo ?? null);
    } catch (error) {
      failed(error);
    }
  }

  /** @type {HTMLElement} */
  const panel = details.querySelector(".panel");
  render(
    html`<form @submit=${(event) => {
        event.preventDefault();
        jump(event.target.elements.date.value);
      }}>
        <label>Date <input type="date" name="date" required></label>
        <button class="button">Go</button>
      </form>
      <button class="plain" @click=${() => {
        details.open = false;
        details.querySelector("summary").focus(); // else the focus goes with the panel
        change({ day });
      }}>On this day, ${monthDay(day)}, of any year</button>`,
    panel,
  );

  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    event.stopPropagation();
    details.open = false;
    details.querySelector("summary").focus();
  });
  details.addEventListener("toggle", () => details.open && details.querySelector("input").focus());
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !details.contains(event.target)) details.open = false;
  });
}
