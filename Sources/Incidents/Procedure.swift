import NGSI
import Query

/// A standard operating procedure: what is to be done about an incident, in which order, by whom and by when. It is data of
/// the city; an incident keeps the one that it was begun with.
public struct Procedure: Sendable, Hashable {
  public struct Title: Sendable, Hashable {
    public var korean: String
    public var english: String

    public init(korean: String, english: String) {
      self.korean = korean
      self.english = english
    }
  }

  public struct Step: Sendable, Hashable {
    public var id: String
    public var title: Title
    /// One of them has to do it; anybody may where there are none.
    public var roles: [String]
    /// Steps that come before it.
    public var after: [String]
    /// Seconds in which it is to be done from the moment it can be begun; `nil` for no such time.
    public var within: Double?
    /// Only then it is to be done: a condition in NGSI-LD's query language on the incident's entity, such as `severity=="Extreme"`.
    public var condition: Condition?
    /// Whether it may be skipped, with a reason.
    public var maySkip: Bool

    public init(
      id: String, title: Title, roles: [String] = [], after: [String] = [], within: Double? = nil,
      condition: Condition? = nil, maySkip: Bool = true
    ) {
      self.id = id
      self.title = title
      self.roles = roles
      self.after = after
      self.within = within
      self.condition = condition
      self.maySkip = maySkip
    }
  }

  public struct Condition: Sendable, Hashable {
    /// As it was written.
    public let text: String
    private let filter: Filter

    /// - Throws: `BadRequestData` with position, what was found and what was expected.
    public init(_ text: String) throws(Problem) {
      self.text = text
      filter = try Filter(q: text, context: .core)
    }

    /// A condition that cannot be told counts as met: better one step too many.
    func holds(of facts: Entity) -> Bool {
      do throws(Problem) { return try filter.matches(facts) } catch { return true }
    }

    public static func == (left: Condition, right: Condition) -> Bool { left.text == right.text }
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
  }

  public enum StepState: String, Sendable, Hashable, CaseIterable {
    /// Others come first.
    case waiting
    /// Can be begun.
    case ready
    case started
    case done
    case skipped
    /// Its condition does not hold.
    case notNeeded = "not-needed"

    var isOver: Bool { [.done, .skipped, .notNeeded].contains(self) }
  }

  public var id: String
  public var title: Title
  /// Categories of incidents that it is for.
  public var categories: [String]
  public private(set) var steps: [Step]

  public static let mostSteps = 200

  /// - Throws: `BadRequestData` for steps of the same name, ones that come after others that there are not, and circles.
  public init(id: String, title: Title, categories: [String], steps: [Step]) throws(Problem) {
    guard (1...Self.mostSteps).contains(steps.count) else {
      throw .badRequest("the procedure '\(id)' has \(steps.count) steps; it needs 1 to \(Self.mostSteps)")
    }
    var known: Set<String> = []
    for step in steps where !known.insert(step.id).inserted {
      throw .badRequest("the procedure '\(id)' has two steps '\(step.id)'")
    }
    for step in steps {
      if let missing = step.after.first(where: { !known.contains($0) }) {
        throw .badRequest("the step '\(step.id)' of '\(id)' comes after '\(missing)', which there is not")
      }
      if let within = step.within, !(within > 0 && within <= 30 * 86_400) {
        throw .badRequest(
          "the step '\(step.id)' of '\(id)' has 'within' of \(within) seconds; it must be above 0, 30 days at most")
      }
    }
    var placed: Set<String> = []
    var left = steps
    while !left.isEmpty {
      let next = left.filter { $0.after.allSatisfy(placed.contains) }
      guard !next.isEmpty else {
        throw .badRequest(
          "the steps \(left.map { "'\($0.id)'" }.joined(separator: ", ")) of '\(id)' wait for one another")
      }
      placed.formUnion(next.map(\.id))
      left.removeAll { placed.contains($0.id) }
    }
    self.id = id
    self.title = title
    self.categories = categories
    self.steps = steps
  }

  public func step(_ id: String) -> Step? { steps.first { $0.id == id } }
}
