// A report by hand: a click on the map fills in where it is.

import "./clock.js";
import { byId } from "./dom.js";
import { startKeys } from "./keys.js";
import { startOperationsMap } from "./op-map.js";

startKeys();
startOperationsMap({
  onPick(place, show) {
    byId("latitude").value = place.lat.toFixed(6);
    byId("longitude").value = place.lng.toFixed(6);
    show([place.lng, place.lat]);
  },
});
