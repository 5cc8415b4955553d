/** Where the caret stands in the text of a row, in characters. */

/** The caret's place in this element as [start, end]; null when it is not there. */
export function caretIn(element) {
  const selection = document.getSelection();
  if (!selection.rangeCount || !element.contains(selection.anchorNode)) return null;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.endContainer)) return null;
  return [
    lengthTo(element, range.startContainer, range.startOffset),
    lengthTo(element, range.endContainer, range.endOffset),
  ];
}

/** Select from start to end, and put the caret there. */
export function select(element, start, end = start) {
  document.getSelection().setBaseAndExtent(
    ...pointAt(element, start),
    ...pointAt(element, end),
  );
}

/** A range of the text as it is now, for highlights; null when the text is shorter. */
export function rangeOf(element, start, end) {
  if (end > element.textContent.length) return null;
  const [startContainer, startOffset] = pointAt(element, start);
  const [endContainer, endOffset] = pointAt(element, end);
  return new StaticRange({ startContainer, startOffset, endContainer, endOffset });
}

function lengthTo(element, container, offset) {
  const range = document.createRange();
  range.setStart(element, 0);
  range.setEnd(container, offset);
  return range.toString().length;
}

function pointAt(element, offset) {
  let left = offset;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let last = null;
  while (walker.nextNode()) {
    last = walker.currentNode;
    if (left <= last.length) return [last, left];
    left -= last.length;
  }
  return last ? [last, last.length] : [element, 0];
}
