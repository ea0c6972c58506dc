import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, type Printed } from '../../cli/command-line.ts';
import { createProject, type TestProject } from '../../cli/support.ts';

/** A page of the guide whose examples are run. */
export class PageExample {
  readonly #text: string;
  readonly project: TestProject;

  private constructor(text: string, project: TestProject) {
    this.#text = text;
    this.project = project;
  }

  /**
   * A project with these tables and what the first block of YAML configures, of the page
   * or of what is below a heading.
   */
  static async open(page: string, sql: string, heading = ''): Promise<PageExample> {
    const whole = readFileSync(new URL(`../../../docs/guide/${page}`, import.meta.url), 'utf8');
    const text = whole.slice(whole.indexOf(heading));
    const project = await createProject({ sql });
    const example = new PageExample(text, project);
    const { accountUrl, accountKey, container } = project.container;
    project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "${project.database.url}" } }
destinations:
  lake: { type: azure-blob, accountUrl: "${accountUrl}", container: ${container}, auth: { accountKey: "${accountKey}" } }
${example.block('yaml')}`);
    return example;
  }

  /** The first block of a language. */
  block(language: string): string {
    const [, text] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(this.#text) ?? [];
    if (text === undefined) throw new Error(`there is no block of ${language}`);
    return text;
  }

  /** Runs the command of the first console block; gives what the page shows of it too. */
  async runShown(): Promise<{ readonly printed: Printed; readonly shown: string }> {
    const [command = '', ...shown] = this.block('console').split('\n');
    const printed = await this.sluice(...command.replace('$ sluice ', '').split(' '));
    return { printed, shown: shown.join('\n') };
  }

  sluice(...args: string[]): Promise<Printed> {
    return commandLine(['--config', join(this.project.cwd, 'sluice.yaml'), ...args]);
  }
}
