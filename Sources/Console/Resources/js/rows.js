// Lists of entities. Everything from the city enters the page as text, never as markup.

import { byId, setText } from "./dom.js";

const cells = {
  "row-name": "rowName", "row-state": "rowStateText", "row-type": "rowType", "row-reading": "rowReading",
  "row-cause": "rowCause", "row-age": "rowAge",
};

function fill(element, row) {
  element.dataset.id = row.rowId;
  const link = element.querySelector(".row-link");
  if (link.getAttribute("href") !== row.rowHref) link.setAttribute("href", row.rowHref);
  element.querySelector(".mark").className = `mark mark-${row.rowState}`;
  element.querySelector(".row-state").className = `row-state state-${row.rowState}`;
  element.querySelector("time").dateTime = row.rowTime;
  for (const [name, key] of Object.entries(cells)) setText(element.querySelector(`.${name}`), row[key]);
}

export function makeRow(row) {
  const element = byId("row-template").content.firstElementChild.cloneNode(true);
  fill(element, row);
  return element;
}

/** Makes a list show exactly these rows; what stays keeps its element, and with it the focus. */
export function showRows(list, rows) {
  const known = new Map([...list.children].map((element) => [element.dataset.id, element]));
  let place = list.firstElementChild;
  for (const row of rows) {
    let element = known.get(row.rowId);
    known.delete(row.rowId);
    if (element) fill(element, row);
    else element = makeRow(row);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of known.values()) element.remove();
}
