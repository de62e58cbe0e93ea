import ArgumentParser

/// The command.
@main
struct Madang: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "madang", abstract: "A smart city in one program.", version: "0.1.0",
    subcommands: [UpCommand.self, ImportCommand.self, ReplayCommand.self, LockCommand.self, BenchCommand.self])
}
