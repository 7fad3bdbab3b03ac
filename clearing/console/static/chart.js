// Draws the figures of a page with plotly; a mark that leads somewhere leads there. The table beside it says the same.
// Runs before plotly's own script.
"use strict";

// Plotly sets some styles as attributes, which the page's policy refuses; set by property they say the same.
const setAttribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function set(name, value) {
  if (name === "style") this.style.cssText = value;
  else setAttribute.call(this, name, value);
};

// Its style elements, which the policy refuses too, are for maps: they are left out. What figures need is in our sheet.
for (const name of ["append", "appendChild"]) {
  const add = document.head[name];
  document.head[name] = (child) => (child.tagName === "STYLE" ? child : add.call(document.head, child));
}

function follow(event) {
  const address = event.points[0] && event.points[0].customdata;
  if (typeof address === "string" && address.startsWith("/console/")) location.assign(address);
}

function draw() {
  if (!("Plotly" in window)) return; // its script is on its way: all figures are drawn when the page is complete
  const letters = { family: getComputedStyle(document.body).fontFamily, size: 13, color: "#1b2430" };
  for (const place of document.querySelectorAll("[data-figure]:not([data-drawn])")) {
    const figure = JSON.parse(place.dataset.figure);
    const narrow = place.clientWidth < 480; // a phone: names of two regions stand beside each other
    const layout = { font: narrow ? { ...letters, size: 9 } : letters, ...figure.layout };
    place.dataset.drawn = "begun";
    Plotly.newPlot(place, figure.data, layout, { displayModeBar: false, responsive: true }).then(() => {
      place.on("plotly_click", follow);
      place.dataset.drawn = "yes";
    });
  }
}

document.addEventListener("DOMContentLoaded", draw);
document.addEventListener("console:figures", draw); // figures that came later
