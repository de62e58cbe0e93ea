import Devices
import Hub
import Identity
import NGSI
import Store
import Synchronization

/// Who once made something, such as a subscription, as he stands today: with the roles that he has now, or shut out.
///
/// What was read is believed for a second, since a change of one entity may ask about the owners of many subscriptions.
/// Of who comes from another provider no more is known than what it said of him then; of that holds what the manifest
/// still gives to its people.
final class Standings: Sendable {
  private struct Key: Hashable {
    var kind: Caller.Kind
    var id: String
    var tenants: [String]
  }

  private struct Present {
    /// `nil` for who is no more.
    var standing: Standing?
    var readAt: ContinuousClock.Instant
  }

  private static let believedFor = Duration.seconds(1)
  private static let mostKnown = 10_000

  private let store: any Store
  private let identity: IdentityProvider
  private let known = Mutex<[Key: Present]>([:])

  init(_ store: any Store, _ identity: IdentityProvider) {
    self.store = store
    self.identity = identity
  }

  func standing(of owner: Caller) -> Caller? {
    guard owner.kind != .nobody, owner.kind != .city else { return owner }
    let isOutside = owner.id.contains("#") && owner.kind == .person
    let standing = isOutside ? identity.presentStanding(ofOutside: owner.id, roles: owner.roles) : present(owner)
    guard let standing else { return nil }
    var today = owner
    guard owner.kind != .device else { return today }
    today.roles = standing.roles
    today.agency = standing.agency
    today.tenants = standing.tenants
    return today
  }

  private func present(_ owner: Caller) -> Standing? {
    let key = Key(kind: owner.kind, id: owner.id, tenants: owner.tenants)
    if let found = known.withLock({ $0[key] }), found.readAt.duration(to: .now) < Self.believedFor {
      return found.standing
    }
    // What cannot be read is not believed.
    let standing = (try? read(owner)) ?? nil
    known.withLock { known in
      if known.count >= Self.mostKnown { known.removeAll() }
      known[key] = Present(standing: standing, readAt: .now)
    }
    return standing
  }

  private func read(_ owner: Caller) throws -> Standing? {
    switch owner.kind {
    case .person: return try identity.presentStanding(ofPerson: owner.id)
    case .client: return try identity.presentStanding(ofClient: owner.id)
    case .device:
      let tenant = owner.tenants.first.flatMap { $0 == Tenant.default.name ? nil : $0 }
      let device = try DeviceProfile(id: owner.id, tenant: tenant, agency: owner.agency)
      let isAdmitted = try DeviceRegistry.isAdmitted(device) { collection, id in
        try store.read { try $0.document(id, collection: collection, in: .default) }.map {
          JSONWriter.bytes($0.body)
        }
      }
      return isAdmitted ? Standing() : nil
    case .city, .adapter, .nobody: return nil
    }
  }
}
