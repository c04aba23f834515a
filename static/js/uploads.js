// A chosen file is stored at once and stays in the list: [data-uploads="<url>"] holds [data-files] and an input.
function send(url, values, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded / event.total));
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => reject(new Error("network")));
    request.send(values);
  });
}

function setUp(box) {
  const form = box.closest("form");
  const input = box.querySelector("input[type=file]");
  const list = box.querySelector("[data-files]");
  const problems = box.querySelector("[data-file-problems]");
  const waiting = box.querySelector("template[data-file-waiting]");
  const trouble = box.querySelector("template[data-file-problem]");

  function complain(words) {
    const line = trouble.content.firstElementChild.cloneNode(true);
    line.querySelector("[data-words]").textContent = words;
    problems.append(line);
  }

  async function store(file) {
    const row = waiting.content.firstElementChild.cloneNode(true);
    row.querySelector("[data-name]").textContent = file.name;
    list.append(row);
    const values = new FormData();
    for (const name of ["csrfmiddlewaretoken", "form_key"]) values.append(name, form.elements[name].value);
    for (const name of ["invoice", "schedule"]) values.append(name, box.dataset[name] ?? "");
    for (const gone of form.querySelectorAll("input[name=removed]")) values.append("removed", gone.value);
    values.append("file", file);
    try {
      const answer = await send(box.dataset.uploads, values, (share) => (row.querySelector("progress").value = share));
      if (answer.status === 201) {
        row.insertAdjacentHTML("beforebegin", answer.responseText);
      } else {
        complain(answer.status === 422 ? answer.responseText : `${file.name}: ${problems.dataset.failed}`);
      }
    } catch {
      complain(`${file.name}: ${problems.dataset.failed}`);
    }
    row.remove();
  }

  input.addEventListener("change", async () => {
    problems.replaceChildren();
    const files = [...input.files];
    input.value = "";
    for (const file of files) await store(file);
  });

  box.addEventListener("click", async (event) => {
    const button = event.target.closest("button[name=drop_file]");
    if (!button) return;
    event.preventDefault();
    const row = button.closest("[data-file]");
    if (button.dataset.remove) {
      const values = new FormData();
      values.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      const answer = await fetch(button.dataset.remove, { method: "POST", body: values, credentials: "same-origin" }).catch(() => null);
      if (!answer || !(answer.ok || answer.status === 404)) return complain(problems.dataset.failed);
    } else {
      const gone = document.createElement("input");
      Object.assign(gone, { type: "hidden", name: "removed", value: button.value });
      box.append(gone);
    }
    row.remove();
    input.focus();
  });
}

for (const box of document.querySelectorAll("[data-uploads]")) setUp(box);
