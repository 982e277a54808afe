import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that wait for processes, sockets and patience more than they compute. */
const waits = /^test\/(?:e2e|node)\//

/**
 * The usual order (what failed, then what took long, or is large in a clone that has not run yet), but journeys come before rooms: started last they
 * would run alone, on a machine that has nothing else left to do.
 */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification) => {
      if (project.config.isolate) return 0
      return waits.test(relative(project.config.root, moduleId)) ? 1 : 2
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
