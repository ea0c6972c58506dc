/** What a terminal shows, as SVG: text in the colours and weights of its escape sequences. */

const COLUMN_PX = 7.8;
const LINE_PX = 18;
const MARGIN_PX = 16;
/** `\u001b[31m` and its like, whose number is captured. */
const STYLE = new RegExp(`${'\u001b'}\\[(\\d+)m`);
const COLORS: Readonly<Record<string, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  36: '#79c0ff',
};

export function terminalPicture(text: string): string {
  const lines = text.trimEnd().split('\n');
  const columns = Math.max(
    ...lines.map(
      line =>
        line
          .split(STYLE)
          .filter((_, index) => index % 2 === 0)
          .join('').length,
    ),
  );
  const width = Math.ceil(columns * COLUMN_PX) + 2 * MARGIN_PX;
  const height = lines.length * LINE_PX + 2 * MARGIN_PX;
  const rows = lines.map((line, index) => {
    const y = MARGIN_PX + LINE_PX * index + 13;
    return `  <text x="${MARGIN_PX}" y="${y}" xml:space="preserve">${spans(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
  <rect width="100%" height="100%" rx="8" fill="#161b22"/>
  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" fill="#e6edf3">
${rows.join('\n')}
  </g>
</svg>
`;
}

function spans(line: string): string {
  let codes: string[] = [];
  return line
    .split(STYLE)
    .map((piece, index) => {
      if (index % 2 === 0) return span(piece, codes);
      // 22 ends bold and dim, 39 colours.
      if (piece === '22') codes = codes.filter(open => open !== '1' && open !== '2');
      else if (piece === '39') codes = codes.filter(open => !(open in COLORS));
      else codes = piece === '0' ? [] : [...codes, piece];
      return '';
    })
    .join('');
}

function span(text: string, codes: readonly string[]): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const color = codes.map(code => COLORS[code]).find(found => found !== undefined);
  const attributes = [
    ...(color ? [`fill="${color}"`] : []),
    ...(codes.includes('1') ? ['font-weight="bold"'] : []),
    ...(codes.includes('2') ? ['opacity="0.65"'] : []),
  ];
  return escaped === '' || attributes.length === 0
    ? escaped
    : `<tspan ${attributes.join(' ')}>${escaped}</tspan>`;
}
