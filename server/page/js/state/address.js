// The state of a page in its address: what is as usual is left out, and Back goes to the state before.

const SETTLED_MS = 1500; // a pause in typing after which the next key begins a new entry in the history

/**
 * The state of this page. `usual` has every name with the value that it has when the address does not say it;
 * all values are text. `changed(state, before)` is called after each change, those by Back included.
 */
export function openAddress(usual, changed) {
  let state = read();
  let typing = 0; // the timer that runs while keys belong to one entry

  function read() {
    const given = new URLSearchParams(location.search);
    return Object.fromEntries(Object.entries(usual).map(([name, value]) => [name, given.get(name) ?? value]));
  }

  function become(changes, how) {
    const before = state;
    state = { ...state, ...changes };
    const address = addressOf(state);
    if (address === addressOf(before)) return;
    history[how](null, "", address);
    changed(state, before);
  }

  function addressOf(some) {
    const said = Object.entries(some).filter(([name, value]) => value !== usual[name]);
    return `${location.pathname}?${new URLSearchParams(said)}`;
  }

  function settle() {
    clearTimeout(typing);
    typing = 0;
  }

  addEventListener("popstate", () => {
    settle();
    const before = state;
    state = read();
    changed(state, before);
  });

  return {
    get state() {
      return state;
    },
    /** Something was decided: Back leads to what was before. */
    change(changes) {
      settle();
      become(changes, "pushState");
    },
    /** A key was typed, or a step taken: all of them until a pause are one entry. */
    adjust(changes) {
      const how = typing ? "replaceState" : "pushState";
      settle();
      typing = setTimeout(settle, SETTLED_MS);
      become(changes, how);
    },
    /** The address of this page in another state. */
    to: (changes) => addressOf({ ...state, ...changes }),
  };
}
