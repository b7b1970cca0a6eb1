// The map view, whose code, data and styles are loaded when it is first shown.

import { filtersOf } from "../../state/search.js";

/**
 * The view for `mountFound`, in an element.
 * @param {HTMLElement} element
 * @param {Parameters<typeof import("./map.js").mountMapView>[1]} options
 */
export function mapLater(element, options) {
  let view = null; // a promise of it
  let wanted = null; // the state that is to be seen; null while another view is shown

  async function show(state) {
    wanted = state;
    element.hidden = false;
    try {
      view ??= import("./map.js").then(({ mountMapView }) => mountMapView(element, options));
      const its = await view;
      if (wanted === state) await its.show(filtersOf(state));
    } catch (error) {
      view = null;
      if (wanted === state) options.failed(error, () => show(state));
    }
  }

  return {
    show,
    hide() {
      wanted = null;
      element.hidden = true;
    },
  };
}
