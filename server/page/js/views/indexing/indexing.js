// The bar that says whether the library is up to date, and brings it up to date.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask, heard } from "../../api/client.js";
import { attend, clock, isHidden } from "../../api/attendance.js";
import { pace } from "./pace.js";
import { changesOf, newFolders, outcomeOf, paceOf, workOf } from "./words.js";
import { count, nameOf, number } from "../../components/words.js";

const STATUS_MS = 10_000; // at least, between two looks at the library while others index
const SCAN_MS = 60_000; // at least, between two looks at the folders, which the server has to list
const FRESH_MS = 10 * 60_000; // how long one is told what the last run has done
const DOUBLE_CLICK_MS = 600; // the button that starts a run is the one that stops it
const FOLLOW_MS = [2000, 8000]; // a search spares catching up for a while, so one tells of changes again
const MOST_FAILURES = 200; // in the list; the copy has all
const SCANNED = "twobranch-scanned"; // in the session, so that a reload does not scan again
const NONE = { new: 0, changed: 0, gone: 0, caption_files: 0 };

/**
 * Shows in `element` what the library holds, how a run of indexing goes and what it did, and starts and stops runs.
 * Calls `onChange()` when the photos are others than before, by this or by others, and `onState({status, run, problem})`
 * with each look.
 */
export function mountIndexing(element, { onChange, onState = (_state) => {} }) {
  let status = null; // of the library, as /api/status
  let run = null; // as /api/index
  let changes = null; // what the next run would find, as far as is known
  let refused = ""; // why the server did not do what was pressed
  let gone = ""; // that it does not answer
  let announced = ""; // for screen readers: the beginning, each quarter, the end
  let all = false; // whether a run that this page started is over all folders
  let pressed = -Infinity; // when the button was; this and the next two by the page's clock
  let asked = -Infinity; // when the status was
  let scanned = -Infinity;
  let seen = null; // the version of the library that the status is of, or a later one
  let looked = null; // the version of the library at the last look
  let turn = 0; // of requests about the run: only the answer to the latest counts
  const looking = pace({ look, isRunning: () => Boolean(run?.running), isHidden, clock });
  element.classList.add("library");

  function show() {
    const focused = element.contains(document.activeElement);
    render(template(), element);
    if (focused && !element.contains(document.activeElement)) element.querySelector("button")?.focus();
    onState({ status, run, problem: gone || refused || run?.error || "" });
  }

  function template() {
    if (!status || !run) return gone ? html`<p class="trouble" role="alert">${gone}</p>` : nothing;
    return html`
      <div class="state">
        ${run.running ? working() : resting()}
        <span class="visually-hidden" aria-live="polite">${announced}</span>
      </div>
      ${problem()} ${run.running ? nothing : failures()} ${noted()}`;
  }

  function resting() {
    const folders = newFolders(status);
    const known = status.folders.length > 0;
    const facts = known ? [count(status.photos - status.failed.length, "photo"), changesOf(changes)] : ["No photos here yet"];
    if (run.report && isFresh()) facts.push(outcomeOf(run.report));
    const away = status.folders.filter((folder) => !folder.reachable);
    if (away.length) facts.push(`${away.map((folder) => nameOf(folder.path)).join(", ")} cannot be reached`);
    return html`
      <p>${facts.filter(Boolean).join(" · ")}</p>
      ${known || folders.length > 1
        ? html`<button class=${known ? "" : "main"} @click=${() => start(null)}>${known ? "Update" : "Index all folders"}</button>`
        : nothing}
      ${folders.map((folder) => html`<button class=${known || folders.length > 1 ? "" : "main"} title=${folder.path}
        @click=${() => start(folder.number)}>Index “${folder.name}”</button>`)}
      ${known || folders.length
        ? nothing
        : html`<p class="hint">Start the server with a folder: <code>twobranch serve ~/Pictures</code></p>`}`;
  }

  function working() {
    return html`
      <p class="work"><span>${workOf(run)}</span> <span class="pace">${paceOf(run)}</span></p>
      <button aria-disabled=${run.stopping} @click=${stop}>Stop</button>
      ${run.total
        ? html`<progress aria-label="Indexing" max=${run.total} .value=${run.done}></progress>`
        : html`<progress aria-label="Indexing"></progress>`}`;
  }

  function problem() {
    const text = gone || refused || run.error;
    if (text) return html`<p class="trouble" role="alert">${text}</p>`;
    if (run.stopped && isFresh()) return html`<p class="hint">Stopped. What was finished is kept; Update goes on from there.</p>`;
    return nothing;
  }

  function failures() {
    const { failed } = status;
    if (!failed.length) return nothing;
    return html`<details>
      <summary>${count(failed.length, "photo")} could not be read</summary>
      <button @click=${(event) => copy(event.currentTarget, failed)}>Copy the list</button>
      <ul>${failed.slice(0, MOST_FAILURES).map(({ path, reason }) => html`<li><span>${path}</span> ${reason}</li>`)}</ul>
      ${failed.length > MOST_FAILURES ? html`<p>… and ${number(failed.length - MOST_FAILURES)} more; the copy has all.</p>` : nothing}
    </details>`;
  }

  function noted() {
    if (!run.notes.length || !(run.running || isFresh())) return nothing;
    return html`<details>
      <summary>${count(run.notes.length, "note")}</summary>
      <ul>${run.notes.map((note) => html`<li>${note}</li>`)}</ul>
    </details>`;
  }

  const isFresh = () => run.ended_at !== null && Date.now() - Date.parse(run.ended_at) < FRESH_MS;

  // What one presses.

  function start(folder) {
    all = folder === null;
    return begin({ folder });
  }

  const startIn = (path) => begin({ path });

  function begin(asked) {
    const headers = { "Content-Type": "application/json" };
    return press({ method: "POST", headers, body: JSON.stringify(asked) });
  }

  const stop = () => press({ method: "DELETE" });

  async function press(request) {
    if (performance.now() - pressed < DOUBLE_CLICK_MS) return;
    pressed = performance.now();
    refused = "";
    try {
      await askAndTake(request);
    } catch (error) {
      refused = error.message;
    }
    show();
    later();
  }

  async function copy(button, failed) {
    const text = failed.map(({ path, reason }) => `${path}\t${reason}`).join("\n");
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Browsers give no clipboard to a page that comes over plain HTTP from another machine.
      getSelection().selectAllChildren(button.nextElementSibling);
      button.textContent = "Selected; copy it with your keys";
    }
  }

  // What the server says.

  /** Ask how it stands, and again later. */
  async function look() {
    try {
      await askAndTake();
      if (!run.running && changes === null) scan();
    } catch (error) {
      gone = error.message;
    }
    show();
    later();
  }

  async function askAndTake(request) {
    looking.stop();
    const mine = ++turn;
    const now = await ask("api/index", request);
    gone = "";
    heard(now);
    if (mine === turn) await take(now);
  }

  function later() {
    looking.later(run?.library_version !== looked);
    looked = run?.library_version;
  }

  /** Take in how it stands with the runs, and with the library where that has changed. */
  async function take(now) {
    const before = run;
    run = now;
    const isNew = before !== null && before.started_at !== now.started_at;
    if (now.running) {
      announceWork(before, isNew);
      const first = status?.photos === 0 && now.label === "photos" && now.done > 0;
      if (status === null || first) await readStatus();
    } else if (before?.running || isNew) {
      const wasCurrent = changesOf(changes) === changesOf(NONE);
      await readStatus();
      announceEnd();
      if (now.report) changes = all || wasCurrent ? NONE : null; // that is what the run saw to
      all = false;
    } else if (status === null || (now.library_version !== seen && performance.now() - asked > STATUS_MS)) {
      await readStatus();
    }
  }

  async function readStatus() {
    const version = run.library_version;
    asked = performance.now();
    const now = await ask("api/status");
    const before = status;
    status = now;
    seen = version;
    if (before === null) return;
    const ended = now.last_index?.ended !== before.last_index?.ended;
    if (ended && !run.running) changes = null; // at the end of our own run, `take` says what is left
    const { added, updated, moved, removed } = now.last_index ?? {};
    const counts = ["photos", "searchable_photos", "captions"];
    if (counts.some((name) => now[name] !== before[name]) || (ended && added + updated + moved + removed)) tell();
  }

  function tell() {
    onChange();
    for (const wait of FOLLOW_MS) setTimeout(onChange, wait);
  }

  /** Have the folders compared with the library, unless that was done a moment ago. */
  async function scan() {
    if (performance.now() - scanned < SCAN_MS) return;
    scanned = performance.now();
    const ended = status.last_index?.ended ?? null;
    const kept = JSON.parse(sessionStorage.getItem(SCANNED) ?? "null");
    if (kept && kept.ended === ended && Date.now() - kept.at < SCAN_MS) changes = kept.changes;
    else {
      const now = await ask("api/status?scan=1").catch(() => null); // what is wrong, the next look says
      if (!now) return;
      if (run.running || (now.last_index?.ended ?? null) !== ended) {
        scanned = -Infinity; // a run came between, and this says nothing of what it left
        return;
      }
      changes = now.changes;
      sessionStorage.setItem(SCANNED, JSON.stringify({ at: Date.now(), ended, changes }));
    }
    show();
  }

  function announceWork(before, isNew) {
    const quarter = (state) => (state.total ? Math.floor((4 * state.done) / state.total) : 0);
    if (isNew || !before) announced = "Indexing has begun";
    else if (run.label && before.label === run.label && quarter(run) > quarter(before)) announced = `${25 * quarter(run)}% of ${run.label}`;
  }

  function announceEnd() {
    if (run.report) announced = `Indexing is done: ${outcomeOf(run.report)}`;
    else if (run.stopped) announced = "Indexing has stopped";
  }

  attend(looking.wake, () => {
    if (!isHidden() && performance.now() - scanned > SCAN_MS) changes = null; // files may have come meanwhile
    looking.seen();
  });
  look();

  return {
    /** Index a folder of the command line by its number; all for null. */
    start,
    /** Index a folder by its path. */
    startIn,
    stop,
    /** See at once how it stands, as when photos were added. */
    look,
  };
}
