// The explorer: every query of a split, by rank; one of them beside what was found for it.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask } from "../../api/client.js";
import { closest } from "../../components/dom.js";
import { queryList } from "./queries.js";
import { queryDetail } from "./query.js";
import { reliability } from "./reliability.js";

const PAGE = 50; // queries that are asked for at a time
const PATIENCE_MS = 300; // before a word says that the ranks are being computed

/** Shows the explorer in an element; `show()` after the address has changed. */
export function mountExplorer(place, address) {
  let splits = null;
  let asked = ""; // the question of the list that is shown or awaited
  let list = null; // the answer, with the queries of all pages so far
  let detail = null;
  let detailOf = "";
  let busy = false;
  let slow = false;
  let trouble = "";
  let abort = new AbortController();
  let pages = 0; // that are awaited
  const confidence = reliability(() => paint());

  const idOf = (query) => String(address.state.direction === "text_to_image" ? query.caption : query.photo);
  const current = () => address.state.query || (list?.queries.length ? idOf(list.queries[0]) : "");
  const split = () => address.state.split || (splits.find((one) => one.name === "dev") ?? splits[0]).name || "-";

  function question(offset) {
    const { direction, sort, contains, rank } = address.state;
    const [from, to] = rank.split("-");
    const said = new URLSearchParams({ direction, sort, offset: String(offset), limit: String(PAGE) });
    if (split() !== "-") said.set("split", split());
    if (contains.trim()) said.set("contains", contains);
    if (from) said.set("from_rank", from);
    if (to) said.set("to_rank", to);
    return String(said);
  }

  async function start() {
    try {
      splits = (await ask("api/explorer/splits")).splits;
    } catch (error) {
      trouble = error.message;
    }
    show();
  }

  /** Brings what is shown in line with the address. */
  async function show() {
    if (!splits?.length) return paint();
    const wanted = question(0);
    if (wanted !== asked) await loadList(wanted);
    else await loadDetail();
  }

  async function loadList(wanted) {
    asked = wanted;
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    busy = true;
    trouble = "";
    paint();
    const patience = setTimeout(() => {
      slow = true;
      paint();
    }, PATIENCE_MS);
    try {
      const { rank } = address.state;
      list = { ...(await ask(`api/explorer?${wanted}`, { signal })), rank };
    } catch (error) {
      if (error.name === "AbortError") return;
      trouble = error.message;
      list = null;
      asked = "";
    } finally {
      clearTimeout(patience);
      if (!signal.aborted) busy = slow = false;
    }
    await loadDetail();
  }

  async function loadDetail() {
    const id = current();
    const wanted = id && list ? `${address.state.direction}/${id}?${split() === "-" ? "" : new URLSearchParams({ split: split() })}` : "";
    if (wanted === detailOf) return paint();
    detailOf = wanted;
    paint();
    if (!wanted) {
      detail = null;
      return paint();
    }
    try {
      const answer = await ask(`api/explorer/${wanted}`);
      if (wanted !== detailOf) return; // another one was asked for since
      detail = { ...answer, direction: address.state.direction };
    } catch (error) {
      if (wanted !== detailOf) return;
      detail = { error: error.message };
    }
    paint();
  }

  async function more() {
    if (pages || !list || list.queries.length >= list.total) return;
    const of = asked;
    pages += 1;
    try {
      const next = await ask(`api/explorer?${question(list.queries.length)}`, { signal: abort.signal });
      if (of === asked) list = { ...list, queries: [...list.queries, ...next.queries] };
    } catch (error) {
      if (error.name !== "AbortError") trouble = error.message;
    } finally {
      pages -= 1;
    }
    paint();
  }

  /** One query on, or back; its page is fetched where it is the next. */
  async function step(by) {
    if (!list?.queries.length) return;
    const at = list.queries.findIndex((query) => idOf(query) === current()) + by;
    if (at >= list.queries.length - 5) {
      const loading = more();
      if (at >= list.queries.length) await loading;
    }
    const query = list.queries[Math.max(at, 0)];
    if (!query) return;
    const moves = document.activeElement?.closest(".query-list a");
    address.adjust({ query: idOf(query) });
    const link = place.querySelector(".query-list a[aria-current]");
    if (link) inSight(link);
    if (moves) link?.focus({ preventScroll: true });
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (closest(event, "input, select, textarea")) return;
    const arrows = closest(event, "#exploring") !== null; // elsewhere they scroll the page
    const by = { j: 1, k: -1, ...(arrows ? { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 } : {}) }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  });

  function paint() {
    const { state } = address;
    if (splits === null) return render(trouble ? html`<p class="trouble" role="alert">${trouble}</p>` : nothing, place);
    if (!splits.length) {
      return render(
        html`<p class="empty">Captions are the queries here, and their photos the truth; no photo of this library has a caption. Add
          a caption file with <code>twobranch index PHOTOS --captions FILE</code>.</p>`,
        place,
      );
    }
    const position = list?.queries.findIndex((query) => idOf(query) === current()) ?? -1;
    const tools = {
      splits,
      split: split(),
      choose: (changes) => address.change({ ...changes, query: "" }),
      type: (contains) => address.adjust({ contains, rank: "", query: "" }),
      open: (query, event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab
        event.preventDefault();
        address.change({ query: idOf(query) });
        const box = place.querySelector(".detail");
        if (box.getBoundingClientRect().top < 0) box.scrollIntoView(); // on a phone it is above the list
      },
      link: (query) => address.to({ query: idOf(query) }),
      isCurrent: (query) => idOf(query) === current(),
      more,
      step,
    };
    render(
      html`${trouble ? html`<p class="trouble" role="alert">${trouble}</p>` : nothing}
        ${queryList(list, state, tools, { busy, slow }, list && queryDetail(detail, list, position, tools))}
        ${list ? confidence(state.direction, split()) : nothing}`,
      place,
    );
  }

  start();
  return { show };
}

/** Scrolls the list, and never the page, so that an entry is seen. */
function inSight(link) {
  const box = link.closest(".query-list");
  const [inner, outer] = [link.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top + 8;
  else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 8;
}
