import ArgumentParser
import Evacuation
import Foundation
import Streets

struct EvacuateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evacuate", abstract: "Plans how people leave a district on foot in the least time.",
    discussion: """
      People are placed at random over the streets, by their length, the same for the same seed: they are synthetic. The \
      plan is exact where memory allows, otherwise its gap to a lower bound is said. Each plan is checked by code that \
      knows nothing of the planner; the exit code is 0 only when it passes. docs/evacuation.md explains the model.
      """)

  static let peopleBounds = 1...1_000_000
  static let stepBounds = 0.5...600.0

  @Option(help: "OpenStreetMap file of the district (PBF).", completion: .file())
  var osm: String

  @Option(help: "How many people leave, 1 to 1,000,000.")
  var people: Int

  @Option(help: "Seconds in a step, 0.5 to 600.")
  var step: Double

  @Option(help: "`boundary` (where the border of the file cuts streets), or a GeoJSON file of points.")
  var exits = "boundary"

  @Option(help: "Another number places the people otherwise.")
  var seed: UInt64 = 1

  @Option(help: "OpenStreetMap id of a way that closes; a new plan is made when it does. May be given again.")
  var close: [Int64] = []

  @Option(help: "Seconds after the begin at which ways close.")
  var closeAt: Double = 0

  @Flag(help: "Also make a plan in which everybody at a junction goes the same way.")
  var convergent = false

  @Option(help: "Write the signs of that plan to this file as GeoJSON.", completion: .file())
  var signs: String?

  @Option(help: "Write the network and the plan to this file as JSON, for checks by others.", completion: .file())
  var write: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard Self.peopleBounds.contains(people) else {
      throw ValidationError("--people must be from 1 to 1,000,000, not \(people).")
    }
    guard Self.stepBounds.contains(step) else {
      throw ValidationError("--step must be from 0.5 to 600 seconds, not \(step).")
    }
    guard (0...86_400).contains(closeAt) else {
      throw ValidationError("--close-at must be from 0 to 86,400 seconds, not \(closeAt).")
    }
  }

  func run() throws {
    var report = EvacuationReport(people: people, step: step, seed: seed)
    let streets = try report.timing(\.read) { try readStreets() }
    let exits = try exitList(streets)
    let sources = StreetEvacuation.placing(people, on: streets, exits: exits, seed: seed)
    guard !sources.isEmpty else { throw ValidationError("\(osm): there is no street between the exits") }
    do {
      let evacuation = try StreetEvacuation(streets, sources: sources, exits: exits, step: step)
      let network = evacuation.network
      report.describe(evacuation)
      let found = try report.timing(\.plan) { try BoundedPlan.best(network) }
      let check = report.timing(\.check) { PlanCheck(found.plan, for: network) }
      report.describe(found, check)
      if convergent || signs != nil {
        let made = report.timing(\.convergent) { ConvergentPlan(network, from: found.plan) }
        report.describe(made, optimum: found.lowerBound, network)
        if let signs, let made { try SignFile(made, evacuation.graph).write(to: signs) }
      }
      if !close.isEmpty { try replan(found, evacuation, &report) }
      if let write { try EvacuationFile(network, found.plan).write(to: write) }
    } catch let error as EvacuationError {
      throw ValidationError("\(osm): \(error)")
    }
    Terminal.print(json ? try report.json() : report.text)
    guard report.isGood else { throw ExitCode.failure }
  }

  private func readStreets() throws -> StreetGraph {
    do throws(StreetsError) {
      let graph = StreetEvacuation.walkingGraph(of: try StreetGraph(try StreetWays(pbf: osm)))
      guard !graph.edges.isEmpty else { throw .noStreets }
      return graph
    } catch {
      throw ValidationError("\(osm): \(error)")
    }
  }

  private func exitList(_ streets: StreetGraph) throws -> [EvacuationNetwork.Exit] {
    guard exits != "boundary" else {
      let boundary = streets.boundary.map { EvacuationNetwork.Exit(node: $0) }
      guard !boundary.isEmpty else { throw ValidationError("\(osm): no street leads out of the file; name exits") }
      return boundary
    }
    return try ExitFile.read(exits, on: streets)
  }

  private func replan(
    _ found: BoundedPlan, _ evacuation: StreetEvacuation, _ report: inout EvacuationReport
  ) throws {
    let (graph, network) = (evacuation.graph, evacuation.network)
    let known = Set(graph.streets.map(\.way))
    if let unknown = close.first(where: { !known.contains($0) }) {
      throw ValidationError("--close \(unknown): no street with that id is in the plan")
    }
    let closed = Set(graph.edges.indices.filter { close.contains(graph.streets[graph.edges[$0].street].way) })
    let begin = Int((closeAt / step).rounded(.up))
    let (rest, plan) = try report.timing(\.replan) { () throws(EvacuationError) in
      let rest = try Replanning(found.plan, for: network, at: begin, closing: closed)
      return (rest, try rest.plan())
    }
    report.describe(plan, rest, closedAt: begin, closedArcs: closed.count)
  }
}
