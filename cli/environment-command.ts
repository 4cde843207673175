/** A command whose options may come from the environment: where a container is described, that is often all there is to write in. */
import { Command, type Option } from 'commander';

const HINT =
  '\nEach option can come from the environment instead: --outbound-policy from LATEEN_OUTBOUND_POLICY. What the command line says comes first.\n' +
  'An option without a value is on when its variable is there; a repeatable one takes several values with spaces between.';

/** Reads every option from `LATEEN_<NAME>`, too. */
export class EnvironmentCommand extends Command {
  constructor(name: string) {
    super(name);
    const help = this.createHelp();
    // One sentence at the end says it of all.
    this.configureHelp({ optionDescription: (option) => help.optionDescription(withoutEnv(option)) });
    this.addHelpText('after', HINT);
  }

  override addOption(option: Option): this {
    if (option.long !== undefined) option.env(`LATEEN_${option.long.slice(2).toUpperCase().replaceAll('-', '_')}`);
    return super.addOption(option);
  }
}

const withoutEnv = (option: Option): Option => Object.create(option, { envVar: { value: undefined } }) as Option;
