/** What the engine uses of xml-writer 1.7, which brings no types. */
declare module 'xml-writer' {
  export default class XMLWriter {
    /** @param indent the text of one level, or false for no line breaks */
    constructor(indent: string | false);
    /**
     * What an element or attribute may be called; it is looked for anywhere in the name.
     */
    name_regex: RegExp;
    /** All that was written so far. */
    output: string;
    startDocument(version: string, encoding: string): this;
    startElement(name: string): this;
    endElement(): this;
    writeAttribute(name: string, content: string): this;
    /** Content with `&`, `<` and `>` escaped. */
    text(content: string): this;
    writeRaw(content: string): this;
  }
}
