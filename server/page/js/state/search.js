// What the page shows, as its address says it: query, filters, collection, open photo.
// The names are those of /api/search, so that an address of the page reads like one of the API.

const FILTER = { after: "", before: "", day: "", shape: "", near: "", within: "", min_size: "", rating: "", favourite: "" };
const FILTER_LISTS = ["path", "not_path", "camera", "format", "place", "album"];
const WORDS = { correct: "true", dates: "true", language: "" }; // how words are read
const ONE = { q: "", in: "images", view: "photos", picture: "", ...FILTER, sort: "relevance", order: "", ...WORDS, box: "", photo: "" };
const MANY = ["like", "unlike", ...FILTER_LISTS];
const FILTERS = [...Object.keys(FILTER), ...FILTER_LISTS];
/** What else a value may be than as usual, of names for which the page has a fixed choice. */
const CHOICES = {
  in: /^captions$/,
  view: /^(map|albums)$/,
  sort: /^(date|folder|size)$/,
  order: /^(asc|desc)$/,
  photo: /^\d{1,15}$/,
};
const OF_THE_PAGE = ["photo", "view", "order"]; // names that /api/search does not know
const RESTED_MS = 300; // without scrolling, after which the place is kept
const SETTLED_MS = 1500; // a pause in typing after which the next key begins a new entry in the history

/** The state in the part of an address after "?". What the page does not know is left out. */
export function read(search) {
  const given = new URLSearchParams(search);
  const state = {};
  for (const [name, usual] of Object.entries(ONE)) {
    const value = given.get(name) ?? usual;
    state[name] = CHOICES[name]?.test(value) === false ? usual : value;
  }
  for (const name of MANY) state[name] = given.getAll(name).filter(Boolean);
  if (!state.like.length) state.box = ""; // a part of nothing
  return state;
}

/** The parameters that say a state: only what is not as usual. */
export function parameters(state) {
  const said = new URLSearchParams();
  for (const [name, usual] of Object.entries(ONE)) if (state[name] !== usual) said.set(name, state[name]);
  for (const name of MANY) for (const value of state[name]) said.append(name, value);
  return said;
}

/** The address of the page in a state, relative to the page. */
export function address(state) {
  const said = String(parameters(state));
  return said ? `?${said}` : ".";
}

/** What to ask /api/search for a state. Without hits asked for, the same text for the same question. */
export function question(state, top) {
  const asked = parameters(state);
  for (const name of OF_THE_PAGE) asked.delete(name);
  if (top) asked.set("top", top);
  return asked;
}

/** Whether the page shows all photos that pass the filters, rather than hits. */
export const isBrowsing = (state) => state.view === "photos" && state.in === "images" && !isQuery(state);

/** What to ask /api/timeline and /api/photos for a state in which one browses. */
export function browsing(state) {
  const asked = filtersOf(state);
  asked.set("sort", state.sort === "relevance" ? "date" : state.sort);
  if (state.order) asked.set("order", state.order);
  return asked;
}

/** The same text for the same list of photos or captions. */
export const listOf = (state) => (isBrowsing(state) ? `all ${browsing(state)}` : `${state.view} ${question(state)}`);

/** The changes after which a photo is in the list `name`, of those that one likes or not, and not in the `other`. */
export function judged(state, name, other, id) {
  const changes = { [name]: [...new Set([...state[name], id])], [other]: state[other].filter((one) => one !== id) };
  // The box is of the first photo. Whoever judges that means all of it.
  return state.like[0] === id ? { ...changes, box: "" } : changes;
}

/** Without what leads towards something there is nothing to lead away from: that goes as well. */
export function without(state, name, id) {
  const rest = { [name]: state[name].filter((one) => one !== id) };
  if (name === "like" && state.like[0] === id) rest.box = ""; // it was of that photo
  const next = { ...state, ...rest };
  return next.q.trim() || next.picture || next.like.length ? rest : { ...rest, unlike: [] };
}

/** The changes that take the last chip away, or null if there is none. */
export function withoutLast(state) {
  for (const name of ["unlike", "like"]) if (state[name].length) return without(state, name, state[name].at(-1));
  return state.picture ? { picture: "", ...(state.q.trim() ? {} : { unlike: [] }) } : null;
}

/** Only the filters of a state, for /api/facets. */
export function filtersOf(state) {
  const asked = new URLSearchParams();
  for (const name of FILTERS) for (const value of [state[name]].flat()) if (value) asked.append(name, value);
  return asked;
}

/** Whether any filter is set. */
export const isFiltered = (state) => FILTERS.some((name) => state[name].length > 0);

/** Whether anything but filters is asked for. */
export const isQuery = (state) => Boolean(state.q.trim() || state.picture || state.like.length);

export const WITHOUT_FILTERS = { ...FILTER, ...Object.fromEntries(FILTER_LISTS.map((name) => [name, []])) };

/** The state of a page with nothing but these filters. */
export const onlyFilters = (filters) => ({ ...read(""), ...filters });

/** The changes that begin a new question: words or pictures of the last one do not go on. */
export const ANEW = { q: "", in: "images", view: "photos", picture: "", like: [], unlike: [], box: "", ...WORDS, photo: "" };

/**
 * The state in the address bar. `changed(state, before)` is called after each change, those by Back included;
 * `remember()` gives what to keep with an entry of the history for when one comes back to it.
 */
export function openHistory(changed, remember) {
  let state = read(location.search);
  let leaving = false; // on the way back to before a photo was opened
  let typing = 0; // the timer that runs while keys belong to one entry
  history.scrollRestoration = "manual"; // the hits come after the browser would scroll

  function keep() {
    history.replaceState({ ...history.state, kept: remember() }, "");
  }

  function become(next, how, more = {}) {
    const before = state;
    state = next;
    if (how === "push") {
      keep();
      history.pushState(more, "", address(next));
    } else {
      history.replaceState({ ...history.state, ...more }, "", address(next));
    }
    changed(state, before);
  }

  addEventListener("popstate", () => {
    leaving = false;
    settle();
    const before = state;
    state = read(location.search);
    changed(state, before, history.state?.kept);
  });
  addEventListener("pagehide", keep);
  let resting = 0; // the timer of a pause in scrolling: a reload of Chromium takes the state from before `pagehide`
  addEventListener(
    "scroll",
    () => {
      clearTimeout(resting);
      resting = setTimeout(keep, RESTED_MS);
    },
    { passive: true },
  );

  function settle() {
    clearTimeout(typing);
    typing = 0;
  }

  return {
    get state() {
      return state;
    },
    /** What was kept with this entry, as after a reload. */
    get kept() {
      return history.state?.kept;
    },
    /**
     * Something was decided: a new entry in the history. Of a photo seen large it takes the place, so that Back
     * leads to the list and does not open the photo again.
     */
    change(changes) {
      settle();
      const next = { ...state, ...changes };
      if (state.photo && !next.photo && history.state?.opened) {
        become(next, "replace", { opened: false, kept: null });
        return;
      }
      if (state.photo && !next.photo) history.replaceState(history.state, "", address({ ...state, photo: "" }));
      become(next, "push");
    },
    /** A key was typed: all keys until a pause are one entry. */
    type(q) {
      const how = typing ? "replace" : "push";
      settle();
      typing = setTimeout(settle, SETTLED_MS);
      become({ ...state, q, ...WORDS, view: "photos" }, how);
    },
    settle,
    /** A photo is looked at large; walking on from there is no new entry, so that Back closes it. */
    show(photo) {
      settle();
      if (state.photo) become({ ...state, photo: String(photo) }, "replace");
      else become({ ...state, photo: String(photo) }, "push", { opened: true });
    },
    hide() {
      if (!state.photo || leaving) return;
      leaving = Boolean(history.state?.opened);
      if (leaving) history.back();
      else become({ ...state, photo: "" }, "replace");
    },
  };
}
