"use strict";
// Forms say what is sent; this sends it to the same origin, and shows what comes as text.
const key = document.getElementById("authorization");
for (const form of document.forms) {
  if (!form.dataset.path) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = form.querySelector("pre");
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = { Accept: "application/json" };
    for (const input of form.querySelectorAll("input")) {
      const place = input.dataset.in;
      if (place === "path") path = path.replace("{" + input.name + "}", () => encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (place === "header") headers[input.name] = input.value;
      else query.append(input.name, input.value);
    }
    if (key && key.value) headers.Authorization = key.value;
    const text = query.toString();
    const url = text ? path + "?" + text : path;
    shown.textContent = "GET " + url + "\n…";
    try {
      const answer = await fetch(url, { headers });
      let content = await answer.text();
      try {
        content = JSON.stringify(JSON.parse(content), null, 2);
      } catch {
        // It is no JSON: it is shown as it came.
      }
      const fields = [...answer.headers].map(([name, value]) => name + ": " + value).join("\n");
      shown.textContent = "GET " + url + "\n" + answer.status + "\n" + fields + "\n\n" + content;
    } catch (error) {
      shown.textContent = "GET " + url + "\n" + error;
    }
  });
}
