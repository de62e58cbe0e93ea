import ArgumentParser

/// The command.
@main
struct Madang: AsyncParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "madang", abstract: "A smart city in one program.", version: version,
    subcommands: [
      UpCommand.self, ImportCommand.self, ReplayCommand.self, LockCommand.self, BackupCommand.self, RestoreCommand.self,
      CheckCommand.self, BenchCommand.self, WitnessCommand.self, ProveCommand.self, VerifyCommand.self,
      AuditCommand.self,
      DevicesCommand.self, FirmwareCommand.self, SafetyCommand.self,
    ])
}
