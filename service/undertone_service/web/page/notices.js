/** Warnings and errors as readable text: one line for each `key`, counted when it comes again. */

export class Notices {
  #region;
  #shown = new Map();

  constructor(region) {
    this.#region = region;
  }

  /** `kind` is "info", "warning" or "error"; `problem` what was wrong, `remedy` what would be right. */
  show(key, kind, problem, remedy = "") {
    const count = (this.#shown.get(key)?.count ?? 0) + 1;
    this.clear(key);
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.dataset.kind = kind;
    notice.dataset.key = key;
    notice.append(paragraph(problem, remedy, count), this.#dismiss(key));
    this.#region.append(notice);
    this.#shown.set(key, { notice, count });
  }

  #dismiss(key) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "dismiss";
    button.textContent = "Dismiss";
    button.addEventListener("click", () => this.clear(key));
    return button;
  }

  clear(key) {
    this.#shown.get(key)?.notice.remove();
    this.#shown.delete(key);
  }

  clearAll() {
    for (const key of [...this.#shown.keys()]) this.clear(key);
  }
}

function paragraph(problem, remedy, count) {
  const text = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = problem;
  text.append(strong, remedy ? ` ${remedy}` : "", count > 1 ? ` (${count} times)` : "");
  return text;
}
