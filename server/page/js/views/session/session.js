// What a page says of its server: that it is away, that it has a newer page, and that one is logged in.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask, hear, heard, server } from "../../api/client.js";
import { attend } from "../../api/attendance.js";

// The version in this module's own address; null where it has none, as in tests.
const OURS = /\/static-([0-9a-f]+)\//.exec(import.meta.url)?.[1] ?? null;

/** Shows notices at the edge of the page, and the way to log out in its navigation. */
export function mountSession() {
  const place = document.body.appendChild(document.createElement("div"));
  place.className = "notice";
  place.setAttribute("role", "status");
  let away = false;
  let other = false; // the server has another page than this one

  const show = () => render(away ? gone() : other ? outdated() : nothing, place);

  server.listen((isAway) => {
    away = isAway;
    show();
  });
  hear((index) => {
    showLogout(index.logged_in);
    if (OURS === null || other === (index.page !== OURS)) return;
    other = index.page !== OURS;
    show();
  });
  attend(server.wake);
  // Only where the browser has it: by HTTPS, or on this machine. Without it the page works the same.
  if (OURS !== null) navigator.serviceWorker?.register("sw.js").catch(() => {});
}

/** Ask how the server is, on a page that does not do so anyway. */
export function hearFromServer() {
  ask("api/index").then(heard, () => {}); // what is wrong, other requests say
}

const gone = () => html`<p>The server does not answer. Trying again…</p>
  <button class="button" @click=${server.attempt}>Try now</button>`;

const outdated = () => html`<p>The server has a newer page.</p>
  <button class="button" @click=${() => location.reload()}>Reload</button>`;

function showLogout(isLoggedIn) {
  const nav = document.querySelector("header nav");
  const shown = nav?.querySelector("[data-logout]");
  if (!isLoggedIn) return shown?.remove();
  if (shown || !nav) return;
  const button = nav.appendChild(document.createElement("button"));
  button.dataset.logout = "";
  button.textContent = "Log out";
  button.addEventListener("click", logOut);
}

async function logOut() {
  // Not a form: without a referrer some browsers would send it as from nowhere, which is refused.
  await fetch("logout", { method: "POST", redirect: "manual" }).catch(() => {});
  location.assign("login");
}
