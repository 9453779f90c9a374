// The hit counter on DynamoDB as it is published: read, add one, write. Two hits at the same time lose one.

import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const dynamodb = new DynamoDBClient();
// counter-dynamodb has item 0, the other baselines theirs.
const counter = { TableName: process.env.TABLE_NAME, Key: { id: { N: "6" } } };

export async function handler(event) {
  if (event.requestContext.http.method !== "GET") {
    return { statusCode: 405, headers: { Allow: "GET" } };
  }
  const { Item } = await dynamodb.send(new GetItemCommand(counter));
  // An item that is not there is none so far.
  const hits = String(Number(Item?.hits.N ?? 0) + 1);
  await dynamodb.send(
    new UpdateItemCommand({
      ...counter,
      UpdateExpression: "SET hits = :hits",
      ExpressionAttributeValues: { ":hits": { N: hits } },
    }),
  );
  return {
    statusCode: 200,
    headers: { "Content-Type": "text/plain", "Cache-Control": "no-store" },
    body: hits,
  };
}
