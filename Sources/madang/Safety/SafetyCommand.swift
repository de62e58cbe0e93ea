import ArgumentParser

struct SafetyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "safety", abstract: "Plans and measures for the safety of people.",
    subcommands: [EvacuateCommand.self, LinkCommand.self, VideoReportCommand.self, WatchCommand.self]
  )
}
