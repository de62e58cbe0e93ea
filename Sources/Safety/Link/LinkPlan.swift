import AgencyLink
import Glibc
import Incidents
import NGSI

/// A linked service (연계서비스) as the plan has it: where its agency is reached, what it is told of, who may tell of what.
public struct ServiceLink: Sendable, Hashable {
  /// Where a secret lies; it is read anew each time it is needed.
  public enum Secret: Sendable, Hashable {
    case file(String)
    case environment(String)
  }

  /// How the agency proves itself when it comes to us. All that is named has to hold.
  public struct Proof: Sendable, Hashable {
    /// With this it logs in; `nil` where it needs no session.
    public var key: Secret?
    /// Where it comes from; anywhere where there are none.
    public var addresses: [AddressRange]
    /// Name of the device whose certificate of the city's authority it shows.
    public var certificate: String?
  }

  /// What is agreed of the messages.
  public var wire: LinkedService
  /// The far side: `http` or `https`, without a path; `nil` where nothing is sent.
  public var peer: String?
  /// Whether the far side is one of exercises: it hears of nothing else, and what it tells of is nothing else.
  public var isExercise: Bool
  /// The agency as incidents name it.
  public var agency: String
  /// `evtId` by category.
  public var events: [String: String]
  /// It is told of incidents from this severity on; of all where none is said.
  public var from: Severity?
  /// The state that is said when something happens, by what happens; `nil` for nothing.
  public var states: [Happening: OccurrenceStatus?]
  /// `evtGrad` by severity.
  public var grades: [Severity: String]
  /// For bodies.
  public var bodyKey: Secret?
  /// With which the city logs in there.
  public var loginKey: Secret?
  /// `nil` where nothing is taken from the agency.
  public var proof: Proof?

  public var id: String { wire.id }

  /// What happens to an incident, as far as a link may tell it.
  public enum Happening: String, Sendable, Hashable, CaseIterable {
    case report, absorb, classify, locate, involve, dispatch, unit, handled
    case noAction = "no-action"
    case falseAlarm = "false-alarm"
    case test, merge, close, reopen

    /// `nil` for what stays in the house.
    init?(_ command: Command) {
      switch command {
      case .resolve(let outcome):
        switch outcome.kind {
        case .handled: self = .handled
        case .noAction: self = .noAction
        case .falseAlarm: self = .falseAlarm
        case .test: self = .test
        }
      default: self.init(rawValue: command.name)
      }
    }

    /// What is said where the plan says nothing.
    var usual: OccurrenceStatus {
      switch self {
      case .involve, .dispatch: .occurred
      case .report, .absorb, .classify, .locate, .unit, .reopen: .updated
      case .handled, .noAction: .cleared
      case .falseAlarm, .test, .merge: .cancelled
      case .close: .completed
      }
    }
  }

  /// What is said when something happens; `nil` for nothing.
  func state(of happening: Happening) -> OccurrenceStatus? { states[happening] ?? happening.usual }

  /// What an incident is called at the agency; `nil` for one that it is not told of.
  func event(of incident: Incident) -> String? {
    guard from.map({ incident.severity >= $0 }) ?? true else { return nil }
    return events[incident.category]
  }

  /// The category of an event; one that was not agreed on is kept by its own name.
  func category(of event: String) -> String { events.first { $0.value == event }?.key ?? event }

  func severity(of grade: String?) -> Severity {
    grade.flatMap { grade in grades.first { $0.value == grade }?.key } ?? .unknown
  }
}

/// The city's linked services.
public struct LinkPlan: Sendable, Hashable {
  public let links: [ServiceLink]
  /// Ring when there is something to send.
  let bells: LinkBells

  public init(_ links: [ServiceLink] = []) {
    self.links = links
    bells = LinkBells(links.map(\.id))
  }

  public subscript(id: String) -> ServiceLink? { links.first { $0.id == id } }

  /// The links by which an agency comes, in the order of the plan.
  func links(of sender: String) -> [ServiceLink] { links.filter { $0.wire.agency == sender && $0.proof != nil } }

  /// The link that an event belongs to: where it was not agreed on, the first of its agency.
  func link(of sender: String, event: String) -> ServiceLink? {
    let own = links(of: sender)
    return own.first { $0.wire.events.contains(event) } ?? own.first
  }
}

/// Addresses of a network.
public struct AddressRange: Sendable, Hashable {
  private let bytes: [UInt8]
  private let bits: Int

  /// - Parameter text: an address, or one with the number of its leading bits: `10.1.0.0/16`, `2001:db8::/32`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let bytes = Self.bytes(String(parts[0])) else { return nil }
    let most = bytes.count * 8
    guard let bits = parts.count > 1 ? Int(parts[1]) : most, (0...most).contains(bits) else { return nil }
    (self.bytes, self.bits) = (bytes, bits)
  }

  func contains(_ address: String) -> Bool {
    guard let other = Self.bytes(address), other.count == bytes.count else { return false }
    return (0..<bits).allSatisfy { bit in
      let mask = UInt8(0x80) >> UInt8(bit % 8)
      return bytes[bit / 8] & mask == other[bit / 8] & mask
    }
  }

  /// An IPv4 address that came as an IPv6 one is that IPv4 address.
  private static func bytes(_ text: String) -> [UInt8]? {
    var v4 = in_addr()
    if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: &v4) { Array($0) } }
    var v6 = in6_addr()
    guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
    let bytes = withUnsafeBytes(of: &v6) { Array($0) }
    let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    return isMapped ? Array(bytes.suffix(4)) : bytes
  }
}
