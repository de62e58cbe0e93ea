import Mustache
import NGSI

/// Everything the pages share: read once, never changed, but for the board.
struct ConsoleRoom: Sendable {
  let source: any CitySource
  let resources: Resources
  let assets: Assets
  let strings: Strings
  let names: Names
  let rules: StateRules
  let time: CityTime
  let board: Board
  let events: EventClients
  private let library: MustacheLibrary

  init(source: any CitySource, assets: String?, resources folder: String?) throws(ConsoleError) {
    self.source = source
    resources = try Resources(folder: folder)
    self.assets = Assets(folder: assets)
    strings = try Strings(resources)
    names = try Names(resources)
    rules = try StateRules(try resources.json("data/rules.json"))
    time = CityTime(identifier: source.site.timeZone)
    board = Board(source: source, summarizer: Summarizer(rules: rules, names: names))
    events = EventClients()
    var library = MustacheLibrary()
    for path in resources.files.keys where path.hasPrefix("templates/") && path.hasSuffix(".mustache") {
      let name = String(path.dropFirst("templates/".count).dropLast(".mustache".count))
      let text = try resources.text(path)
      do { try library.register(text, named: name) } catch {
        throw .resource("\(path) cannot be parsed: \(error)")
      }
    }
    self.library = library
  }

  func render(_ template: String, _ content: [String: Any]) -> String {
    library.render(content, withTemplate: template) ?? ""
  }
}
